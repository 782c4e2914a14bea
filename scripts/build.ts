import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { bundleConsole } from "./console/bundle.ts";

/** Compiles src into dist, for the package and the image, where nobody strips types; the console as browsers get it. */
rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

const notCompiled = (file: string) =>
  file !== "src/console" && (statSync(file).isDirectory() || !file.endsWith(".ts"));
cpSync("src", "dist", { recursive: true, filter: notCompiled });

mkdirSync("dist/console", { recursive: true });
for (const [name, contents] of await bundleConsole()) writeFileSync(`dist/console/${name}`, contents);
