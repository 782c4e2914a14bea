import { readFileSync, writeFileSync } from "node:fs";
import { configSchema } from "../src/config/schema.ts";
import { startEdge } from "../src/edge.ts";
import { createLogger } from "../src/observe/log.ts";

/** The part of OpenAPI 3.1 that an edge says of itself. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly default?: unknown;
}

interface Operation {
  readonly summary: string;
  readonly "x-meridian-role"?: string;
  readonly parameters?: readonly { name: string; in: string; description?: string; schema: Schema }[];
  readonly requestBody?: { content: Record<string, { schema: Schema }> };
  readonly responses: { 200: { content: Record<string, { schema: Schema }> } };
}

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const NOWHERE = "http://127.0.0.1:1";

/** docs/admin-reference.md, from what an edge answers at `/openapi.json`. */
export async function adminReference(): Promise<string> {
  const edge = await startEdge({
    config: configSchema.parse({
      listen: { http: { host: "127.0.0.1", port: 0 } },
      admin: { port: 0 },
      regions: { here: { role: "writer", endpoints: [NOWHERE] } },
    }),
    log: createLogger({ level: "silent", edge: "reference" }),
  });
  try {
    const { paths } = (await (await fetch(`${edge.adminUrl}/openapi.json`)).json()) as { paths: Paths };
    return [HEAD, ...Object.entries(paths).flatMap(sectionsOf)].join("\n\n");
  } finally {
    await edge.stop(0);
  }
}

const HEAD = `# Admin API: reference

Written by \`npm run docs:admin\` from what an edge says at \`/openapi.json\`; [admin-api.md](admin-api.md) says how to use it. What is
refused is \`application/problem+json\` with a \`fault\`. A field with a question mark may be left out.`;

function sectionsOf([path, operations]: [string, Paths[string]]): readonly string[] {
  return Object.entries(operations).map(([method, operation]) => {
    const { summary, parameters = [], requestBody, responses } = operation;
    const given = parameters.map(({ name, in: place, description, schema }) => [
      `\`${name}\``,
      `${place}, ${typeOf(schema)}`,
      description ?? "",
    ]);
    const [type = "", answer] = Object.entries(responses[200].content)[0] ?? [];
    const body = requestBody === undefined ? [] : rowsOf(Object.values(requestBody.content)[0]?.schema ?? {});
    const answered = rowsOf(answer?.schema ?? {});
    return [
      `## \`${method.toUpperCase()} ${path}\``,
      `${summary} ${whoMay(operation)}`,
      ...(given.length + body.length > 0 ? [table("takes", [...given, ...body])] : []),
      answered.length > 0 ? table("answers", answered) : `Answers \`${type}\`.`,
    ].join("\n\n");
  });
}

function whoMay({ "x-meridian-role": role }: Operation): string {
  if (role === undefined) return "Needs no token.";
  return role === "viewer" ? "For a `viewer`." : "For an `operator`.";
}

/** A row for each field, those of what is inside with its name before. */
function rowsOf(schema: Schema, path = ""): readonly (readonly string[])[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([name, field]) => {
    const optional = required.includes(name) && field.default === undefined ? "" : "?";
    const own = [`\`${path}${name}${optional}\``, typeOf(field), field.description ?? ""];
    const of = insideOf(field);
    return [own, ...(of === null ? [] : rowsOf(of, `${path}${name}${field.type === "array" ? "[]" : ""}.`))];
  });
}

function insideOf(field: Schema): Schema | null {
  const [inside] = [field, field.items ?? {}, ...(field.anyOf ?? [])].filter(({ properties }) => properties);
  return inside ?? null;
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return schema.enum.map((word) => (word === "" ? "nothing" : `\`${word}\``)).join(", ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (schema.prefixItems) return `list of ${schema.prefixItems.length} numbers`;
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  return types.map((type) => WORDS[type] ?? type).join(" or ") || "any";
}

const WORDS: Readonly<Record<string, string>> = {
  ...{ string: "text", integer: "whole number", number: "number", boolean: "boolean", null: "null" },
  object: "mapping",
};

function table(title: string, rows: readonly (readonly string[])[]): string {
  const lines = rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
  return [`| ${title} | type | meaning |`, "|---|---|---|", ...lines].join("\n");
}

export const REFERENCE = new URL("../docs/admin-reference.md", import.meta.url).pathname;

if (import.meta.main) {
  const text = `${await adminReference()}\n`;
  if (readFileSync(REFERENCE, { encoding: "utf8", flag: "a+" }) !== text) writeFileSync(REFERENCE, text);
}
