import { readFileSync } from "node:fs";

/** Meridian's version, as package.json has it: beside `src` in a checkout, beside `dist` in the package. */
export const version: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;
