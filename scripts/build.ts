import { spawnSync } from "node:child_process";
import { cpSync, rmSync, statSync } from "node:fs";

/** Compiles src into dist, for the package and the image, where nobody strips types. */
rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

const notCompiled = (file: string) => statSync(file).isDirectory() || !file.endsWith(".ts");
cpSync("src", "dist", { recursive: true, filter: notCompiled });
