import type { z } from "zod";
import { unknownKey } from "./known-keys.ts";
import type { Finding } from "./problems.ts";
import { didYouMean } from "./spelling.ts";

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

const KINDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "keys with their values",
  record: "keys with their values",
  array: "a list",
  tuple: "a list",
};

/** The schema's complaint in words for people, where the schema itself has none. */
export function wording(issue: RawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${KINDS[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `expected ${issue.values.length > 1 ? "one of " : ""}${issue.values.join(", ")}`;
    case "too_small":
      return `expected ${issue.inclusive === false ? "more than" : "at least"} ${amount(issue.origin, issue.minimum)}`;
    case "too_big":
      return `expected ${issue.inclusive === false ? "less than" : "at most"} ${amount(issue.origin, issue.maximum)}`;
    default:
      return "not a valid value";
  }
}

function amount(origin: string, count: number | bigint): string {
  const unit = { string: "character", array: "entry", file: "byte" }[origin];
  if (unit === undefined) return String(count);
  return `${count} ${count === 1 ? unit : unit.replace(/y$/, "ie").concat("s")}`;
}

/** What an issue of the schema has to tell; several things when several keys are unknown. */
export function findingsOf(issue: Issue): readonly Finding[] {
  const path = issue.path.map((step) => (typeof step === "number" ? step : String(step)));
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key));
  if (issue.code === "invalid_key") return [{ path, atKey: true, ...split(issue.issues[0]?.message ?? "") }];
  if (issue.code === "invalid_union") {
    const keys = unknownToAll(issue.errors);
    if (keys.length > 0) return keys.map((key) => unknownKey(path, key));
  }
  const { message, hint } = split(issue.message);
  if (issue.input === undefined) return [{ path, message: "missing", hint: hint ?? message }];
  if (issue.code !== "invalid_type") return [{ path, message, hint: hint ?? remedy(issue) }];
  return [{ path, message: `${message}, found ${kindOf(issue.input)}`, hint: hint ?? remedy(issue) }];
}

/** In the schema's own messages the remedy follows a semicolon. */
function split(text: string): { message: string; hint: string | null } {
  const [message = "", hint = null] = text.split(/; (.*)/s);
  return { message, hint };
}

/** Keys that no member of a union knows. */
function unknownToAll(members: readonly (readonly Issue[])[]): readonly string[] {
  const [first = [], ...rest] = members.map((issues) =>
    issues.flatMap((issue) =>
      issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys : [],
    ),
  );
  return first.filter((key) => rest.every((keys) => keys.includes(key)));
}

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "number" || Number.isInteger(value)) return KINDS[typeof value] ?? typeof value;
  return Number.isFinite(value) ? "a fraction" : String(value);
}

function remedy(issue: Issue): string | null {
  const { input, message } = issue;
  if (input === null) return "give it a value or remove the key";
  if (issue.code === "invalid_value") return didYouMean(String(input), issue.values.map(String));
  if (typeof input === "number" && message.startsWith("expected a duration"))
    return "add the unit: ms, s, m, h or d";
  if (issue.code !== "invalid_type") return null;
  if (issue.expected === "string" && typeof input !== "object") return "put it in quotes";
  if (issue.expected === "array" && typeof input !== "object") return "put it in brackets: [ ]";
  if (typeof input === "string" && input.trim() !== "" && isPlain(issue.expected, input))
    return "remove the quotes";
  return null;
}

function isPlain(expected: string, text: string): boolean {
  return expected === "boolean" ? /^(true|false)$/.test(text) : Number.isFinite(Number(text));
}
