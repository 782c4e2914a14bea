import { type JsonSchema, jsonSchema } from "./json-schema.ts";
import type { Finding, Path } from "./problems.ts";
import { closest } from "./spelling.ts";

/** An unknown key, with the remedy that fits: a typing error, another place, or the keys there are. */
export function unknownKey(parent: Path, key: string): Finding {
  const path = [...parent, key];
  return { path, atKey: true, message: "unknown key", hint: remedy(parent, key) };
}

function remedy(parent: Path, key: string): string {
  const schema = jsonSchema();
  const known = keysOf(schemaAt(schema, parent));
  const near = closest(key, known);
  if (near !== null) return `did you mean ${near}?`;
  const homes = Object.entries(schema.properties ?? {}).filter(([, section]) => section.properties?.[key]);
  if (homes.length === 1 && parent.length === 0) return `it belongs under ${homes[0]?.[0]}`;
  return `the keys here are ${known.join(", ")}`;
}

/** The part of the schema that a path leads to; null when it leads nowhere. */
function schemaAt(schema: JsonSchema, path: Path): JsonSchema | null {
  return path.reduce<JsonSchema | null>((level, step) => {
    const next = level === null ? undefined : inside(level, step);
    return typeof next === "object" ? next : null;
  }, schema);
}

function inside(level: JsonSchema, step: string | number): JsonSchema | boolean | undefined {
  if (typeof step === "number") return level.items;
  return level.properties?.[step] ?? level.additionalProperties;
}

function keysOf(level: JsonSchema | null): readonly string[] {
  if (level === null) return [];
  return [level, ...(level.anyOf ?? [])].flatMap(({ properties }) => Object.keys(properties ?? {}));
}
