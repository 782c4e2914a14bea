import { readFile } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { coastline } from "./coastline.ts";

const SOURCE = path.join(import.meta.dirname, "../../src/console");

/** What is inside the script beside this project's own, whose licences ask to be named. */
const NOTICE =
  "/*! Meridian. Holds Preact and @preact/signals, (c) Jason Miller and the Preact team, MIT license. */";

/** The console's files by name, as browsers get them. Takes some tens of milliseconds. */
export async function bundleConsole(): Promise<ReadonlyMap<string, Uint8Array>> {
  const { outputFiles } = await build({
    entryPoints: { console: path.join(SOURCE, "main.tsx") },
    outdir: SOURCE,
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: ["chrome120", "firefox121", "safari17.2"],
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { COASTLINE: JSON.stringify(coastline()) },
    banner: { js: NOTICE },
    legalComments: "inline",
    tsconfigRaw: {},
  });
  const bundled = outputFiles.map((file) => [path.basename(file.path), file.contents] as const);
  const asTheyAre = ["index.html", "icon.svg"].map(
    async (name) => [name, await readFile(path.join(SOURCE, name))] as const,
  );
  return new Map([...bundled, ...(await Promise.all(asTheyAre))]);
}
