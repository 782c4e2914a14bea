import { readFileSync, writeFileSync } from "node:fs";
import { type JsonSchema, jsonSchema } from "../src/config/json-schema.ts";

/** The files this script writes, by their path in the project, with what belongs in them. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const schema = jsonSchema();
  const reference = readFileSync(pathOf("docs/configuration.md"), "utf8");
  return new Map([
    ["config/meridian.schema.json", `${JSON.stringify(editorSchema(schema), null, 2)}\n`],
    ["docs/configuration.md", withReference(reference, referenceOf(schema))],
  ]);
}

export function pathOf(file: string): string {
  return new URL(`../${file}`, import.meta.url).pathname;
}

// --- the JSON Schema, for editors

/** A variable may stand wherever a number or a word of a list may; editors must not call that an error. */
const VARIABLE = { type: "string", pattern: "\\$\\{.+\\}" } as const;

function editorSchema(schema: JsonSchema): unknown {
  return mapSchema(schema, (leaf) => {
    const { title, description, default: fallback, ...rest } = leaf;
    const takesAnyText = rest.type === "string" && !title && !rest.pattern && !rest.enum;
    return takesAnyText ? leaf : { title, description, default: fallback, anyOf: [rest, VARIABLE] };
  });
}

/** The same schema with every leaf changed: whatever is not a mapping, a list or a choice of mappings. */
function mapSchema(schema: JsonSchema, change: (leaf: JsonSchema) => unknown): unknown {
  const each = (inner: JsonSchema) => mapSchema(inner, change);
  if (isMapping(schema)) {
    const { properties, additionalProperties: rest } = schema;
    return {
      ...schema,
      ...(properties && { properties: mapValues(properties, each) }),
      ...(typeof rest === "object" && { additionalProperties: each(rest) }),
    };
  }
  if (schema.prefixItems) return { ...schema, prefixItems: schema.prefixItems.map(each) };
  if (typeof schema.items === "object") return { ...schema, items: each(schema.items) };
  if (schema.anyOf?.every(isMapping)) return { ...schema, anyOf: schema.anyOf.map(each) };
  return change(schema);
}

function isMapping(schema: JsonSchema): boolean {
  return schema.type === "object";
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

// --- the reference, for people

const BEGIN = "<!-- reference: written by scripts/generate-schema.ts -->";
const END = "<!-- reference: end -->";

function withReference(page: string, reference: string): string {
  const [before = "", rest = ""] = page.split(BEGIN);
  const [, after = ""] = rest.split(END);
  return `${before}${BEGIN}\n\n${reference}\n\n${END}${after}`;
}

/** A table for each section of the file. */
function referenceOf(schema: JsonSchema): string {
  return Object.entries(schema.properties ?? {})
    .map(([name, section]) => {
      const rows = rowsOf(name, section).map((cells) => `| ${cells.join(" | ")} |`);
      const table = ["| key | type | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
      return `### \`${name}\`\n\n${section.description}\n\n${table}`;
    })
    .join("\n\n");
}

/** A row for each leaf; `required` tells whether it may be left out when what is around it is there. */
function rowsOf(path: string, schema: JsonSchema, required = false): readonly (readonly string[])[] {
  const { properties, additionalProperties: rest, items, anyOf } = schema;
  if (properties) {
    return Object.entries(properties).flatMap(([key, inner]) =>
      rowsOf(`${path}.${key}`, inner, schema.required?.includes(key) ?? false),
    );
  }
  if (typeof rest === "object") return rowsOf(`${path}.NAME`, rest);
  const inner = typeof items === "object" ? items : schema;
  const members = [inner, ...(inner.anyOf ?? [])].filter(isMapping);
  const own = leafRow(path, schema, required);
  if (members.length === 0) return [own];
  const choice = (inner.anyOf ?? anyOf) !== undefined;
  return [
    own,
    ...members.flatMap((member) => rowsOf(`${path}[]`, choice ? { ...member, required: [] } : member)),
  ];
}

function leafRow(path: string, schema: JsonSchema, required: boolean): readonly string[] {
  const { default: fallback, description = "" } = schema;
  const shown = fallback === undefined ? (required ? "required" : "") : `\`${JSON.stringify(fallback)}\``;
  return [`\`${path}\``, typeOf(schema), shown.replaceAll('"', ""), description];
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((word) => `\`${word}\``).join(", ");
  if (schema.type === "array") {
    if (schema.prefixItems) return `list of ${schema.prefixItems.length}`;
    return `list of ${typeof schema.items === "object" ? typeOf(schema.items).replace(/[^s]$/, "$&s") : "values"}`;
  }
  if (schema.title) return schema.title;
  const types: Readonly<Record<string, string>> = {
    string: "text",
    integer: "whole number",
    object: "mappings",
  };
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  return types[schema.type ?? ""] ?? schema.type ?? "";
}

if (import.meta.main) {
  for (const [file, text] of generatedFiles()) writeFileSync(pathOf(file), text);
}
