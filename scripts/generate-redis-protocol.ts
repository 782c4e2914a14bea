import { mkdirSync, writeFileSync } from "node:fs";
import { PIN_SCRIPTS } from "../src/consistency/pin-scripts.ts";

/** Raised when what an application does by docs/redis-protocol.md would not be understood any more. */
const PROTOCOL = 1;

const WHAT = {
  begin: "BEGIN: a write is about to be made. It only ever extends.",
  end: "END: the write is committed, or, with 0 milliseconds, was not made. It touches this write's member only.",
  place: "PLACE: the write is committed, and this is where it stands in the write log. It only ever extends.",
  "begin-told": "BEGIN in mode bounded: the feed is told as well.",
  "end-told": "END in mode bounded: the feed is told as well, when it comes later than was said before.",
  "place-told": "PLACE in mode bounded: the feed is told as well, when it comes later than was said before.",
} as const;

const LUA: Readonly<Record<keyof typeof WHAT, string>> = {
  begin: PIN_SCRIPTS.begin,
  end: PIN_SCRIPTS.end,
  place: PIN_SCRIPTS.place,
  "begin-told": PIN_SCRIPTS.beginTold,
  "end-told": PIN_SCRIPTS.endTold,
  "place-told": PIN_SCRIPTS.placeTold,
};

/** The scripts of docs/redis-protocol.md as files, by their path in the project: what an edge runs, and what it is. */
export function luaFiles(): ReadonlyMap<string, string> {
  const names = Object.keys(WHAT) as (keyof typeof WHAT)[];
  return new Map(
    names.map((name) => [`docs/redis/${name}.lua`, `${headOf(WHAT[name])}${LUA[name].trim()}\n`]),
  );
}

function headOf(what: string): string {
  return `-- Meridian pin protocol ${PROTOCOL}. ${what}
-- KEYS: the pin, the feed, the positions. ARGV: writeId, milliseconds, pid, EPOCH:POSITION. See redis-protocol.md.
-- Written by npm run docs:redis from what an edge runs itself. It is run whole.
`;
}

if (import.meta.main) {
  mkdirSync(new URL("../docs/redis/", import.meta.url), { recursive: true });
  for (const [file, text] of luaFiles()) writeFileSync(new URL(`../${file}`, import.meta.url), text);
}
