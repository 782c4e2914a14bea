import { isDeepStrictEqual } from "node:util";
import { AT_START } from "./at-start.ts";
import { pemChanges } from "./pem-files.ts";
import { redactedConfig } from "./redact.ts";
import { type Config, writtenConfig } from "./schema.ts";

/** One value that differs: where, in the words of the file, and as a line to print. */
interface Change {
  readonly path: string;
  readonly text: string;
}

/** A value before and after, and how to show each. */
interface Sides {
  readonly before: unknown;
  readonly after: unknown;
  readonly shownBefore: unknown;
  readonly shownAfter: unknown;
}

/** What differs, a line each: `regions.eu-west.weight: 100 -> 50`. Secrets are never shown, only that they changed. */
export function configChanges(before: Config, after: Config): readonly string[] {
  return changesBetween(before, after).map(({ text }) => text);
}

/** The changes among them that a reload cannot apply. */
export function restartOnly(before: Config, after: Config): readonly string[] {
  return changesBetween(before, after)
    .filter(({ path }) => AT_START.test(path))
    .map(({ text }) => text);
}

function changesBetween(before: Config, after: Config): readonly Change[] {
  const sides: Sides = {
    before: writtenConfig(before),
    after: writtenConfig(after),
    shownBefore: redactedConfig(before),
    shownAfter: redactedConfig(after),
  };
  return [
    ...compare("", sides),
    ...compareKeys(before, after),
    ...pemChanges(before, after),
    ...compareOrder(Object.keys(before.regions), Object.keys(after.regions)),
  ];
}

function compare(path: string, sides: Sides): readonly Change[] {
  if (isDeepStrictEqual(sides.before, sides.after)) return [];
  if (!isMapping(sides.before) || !isMapping(sides.after)) return [{ path, text: describe(path, sides) }];
  const keys = new Set([...Object.keys(sides.before), ...Object.keys(sides.after)]);
  return [...keys].flatMap((key) => compare(path === "" ? key : `${path}.${key}`, inside(sides, key)));
}

function inside(sides: Sides, key: string): Sides {
  return {
    before: entry(sides.before, key),
    after: entry(sides.after, key),
    shownBefore: entry(sides.shownBefore, key),
    shownAfter: entry(sides.shownAfter, key),
  };
}

function describe(path: string, { before, after, shownBefore, shownAfter }: Sides): string {
  if (before === undefined) return `${path}: added ${show(shownAfter)}`;
  if (after === undefined) return `${path}: removed`;
  if (isDeepStrictEqual(shownBefore, shownAfter)) return `${path}: changed, ${show(shownAfter)}`;
  return `${path}: ${show(shownBefore)} -> ${show(shownAfter)}`;
}

/** What a file of keys holds may change while its name stays. */
function compareKeys(before: Config, after: Config): readonly Change[] {
  return (after.consistency.identity ?? []).flatMap(({ jwt }, index) => {
    const old = before.consistency.identity?.[index]?.jwt;
    return (["jwksFile", "keyFile"] as const).flatMap((key) => {
      if (old?.[key]?.file !== jwt?.[key]?.file || isDeepStrictEqual(old?.[key], jwt?.[key])) return [];
      const path = `consistency.identity[${index}].jwt.${key}`;
      return [{ path, text: `${path}: other keys in ${jwt?.[key]?.file}` }];
    });
  });
}

/** The order of the regions counts under the policy priority, and two mappings do not show it. */
function compareOrder(before: readonly string[], after: readonly string[]): readonly Change[] {
  const stayed = before.filter((name) => after.includes(name));
  const now = after.filter((name) => before.includes(name));
  if (isDeepStrictEqual(stayed, now)) return [];
  return [{ path: "regions", text: `regions: order ${stayed.join(", ")} -> ${now.join(", ")}` }];
}

/** On one line, as one would write it in the file: `[a, b]`, `{ role: replica }`. */
function show(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (!isMapping(value)) return String(value);
  const entries = Object.entries(value).map(([key, inner]) => `${key}: ${show(inner)}`);
  return `{ ${entries.join(", ")} }`;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function entry(value: unknown, key: string): unknown {
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
