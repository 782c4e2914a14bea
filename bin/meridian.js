#!/usr/bin/env node
// In a checkout the sources run as they are; the published package carries them compiled.
import { existsSync } from "node:fs";

const major = Number(process.versions.node.split(".")[0]);
if (major < 26) {
  process.stderr.write(`meridian needs Node.js 26 or later; this is ${process.version}\n`);
  process.exit(1);
}
const source = new URL("../src/main.ts", import.meta.url);
await import(existsSync(source) ? source.href : new URL("../dist/main.js", import.meta.url).href);
