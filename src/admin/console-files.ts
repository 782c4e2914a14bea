import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

/** A file of the console, ready to be sent. */
export interface ConsoleFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
}

/** What only a checkout has. */
interface Bundler {
  bundleConsole(): Promise<ReadonlyMap<string, Uint8Array>>;
}

const TYPES = {
  "index.html": "text/html; charset=utf-8",
  "console.js": "text/javascript; charset=utf-8",
  "console.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
} as const;

export type ConsoleFileName = keyof typeof TYPES;

export const CONSOLE_FILE_NAMES = Object.keys(TYPES) as readonly ConsoleFileName[];

const BUILT = new URL("../console/", import.meta.url);
const BUNDLER = new URL("../../scripts/console/bundle.ts", import.meta.url);

let loaded: Promise<ReadonlyMap<string, ConsoleFile>> | null = null;

/** The file, read when the first one is asked for: an edge whose console nobody opens holds none of it. */
export async function consoleFile(name: ConsoleFileName): Promise<ConsoleFile> {
  loaded ??= load();
  const found = (await loaded).get(name);
  if (found === undefined) throw new Error(`the console lacks ${name}`);
  return found;
}

/** The package carries the console built; a checkout builds it, in tens of milliseconds, with what only a checkout has. */
async function load(): Promise<ReadonlyMap<string, ConsoleFile>> {
  if (existsSync(new URL("console.js", BUILT)))
    return new Map(await Promise.all(CONSOLE_FILE_NAMES.map(read)));
  const { bundleConsole } = (await import(BUNDLER.href)) as Bundler;
  const bundled = [...(await bundleConsole())];
  return new Map(
    bundled.map(([name, contents]) => [name, prepared(name as ConsoleFileName, Buffer.from(contents))]),
  );
}

async function read(name: ConsoleFileName): Promise<readonly [string, ConsoleFile]> {
  return [name, prepared(name, await readFile(new URL(name, BUILT)))];
}

function prepared(name: ConsoleFileName, plain: Buffer): ConsoleFile {
  const etag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return { type: TYPES[name], plain, gzipped: gzipSync(plain, { level: 9 }), etag };
}
