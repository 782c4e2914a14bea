import { createHash } from "node:crypto";
import { stringify } from "yaml";
import { type Functions, isTrue, printed, type Value } from "./run.ts";

type Tree = Record<string, Value>;

/** Those of Go, of Sprig and of Helm's own that the chart uses; `include` is the renderer's. */
export const FUNCTIONS: Functions = {
  and: (...args) => args.find((arg) => !isTrue(arg)) ?? args.at(-1),
  or: (...args) => args.find(isTrue) ?? args.at(-1),
  not: (arg) => !isTrue(arg),
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  gt: (a, b) => Number(a) > Number(b),
  len: (arg) => (typeof arg === "string" ? arg : Object.keys(arg as object)).length,
  printf: (format, ...args) => String(format).replaceAll(/%[sd]/g, () => printed(args.shift())),

  default: (fallback, value) => (isTrue(value) ? value : fallback),
  trunc: (length, text) => String(text).slice(0, Number(length)),
  trimSuffix: (suffix, text) =>
    String(text).endsWith(String(suffix)) ? String(text).slice(0, -String(suffix).length) : text,
  contains: (part, text) => String(text).includes(String(part)),
  replace: (from, to, text) => String(text).replaceAll(String(from), String(to)),
  quote: (text) => (text === undefined || text === null ? "" : JSON.stringify(printed(text))),
  nindent: (spaces, text) =>
    `\n${String(text)
      .split("\n")
      .map((line) => " ".repeat(Number(spaces)) + line)
      .join("\n")}`,
  int: (value) => Math.trunc(Number(value ?? 0)),
  add: (...args) => args.reduce<number>((sum, arg) => sum + Number(arg), 0),
  join: (between, items) => (items as Value[]).map(printed).join(String(between)),
  list: (...args) => args,
  index: (of, at) => (of as Tree)[String(at)],
  keys: (tree) => Object.keys(tree as Tree),
  sortAlpha: (items) => (items as Value[]).map(printed).sort(),
  omit: (tree, ...left) =>
    Object.fromEntries(Object.entries(tree as Tree).filter(([key]) => !left.includes(key))),
  dict: (...args) =>
    Object.fromEntries(
      args.flatMap((arg, at) => (at % 2 === 0 ? [[String(arg), args[at + 1]] as const] : [])),
    ),
  deepCopy: (value) => structuredClone(value),
  mergeOverwrite: (into, ...overs) =>
    overs.reduce<Tree>((merged, over) => overwritten(merged, over as Tree), into as Tree),
  sha256sum: (text) => createHash("sha256").update(String(text)).digest("hex"),

  toYaml: (value) => stringify(value, { sortMapEntries: true, lineWidth: 0, version: "1.1" }).trimEnd(),
  fail: (message) => {
    throw new Error(String(message));
  },
};

function overwritten(into: Tree, over: Tree): Tree {
  const merged = { ...into };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isTree(before) && isTree(value) ? overwritten(before, value) : value;
  }
  return merged;
}

export function isTree(value: Value): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
