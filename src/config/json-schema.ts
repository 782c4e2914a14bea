import { z } from "zod";
import { configSchema } from "./schema.ts";

/** One level of a JSON Schema, as far as this room reads it. */
export interface JsonSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

let made: JsonSchema | undefined;

/** The JSON Schema of the file: of what is written and not of what it becomes. Made once, when first asked for. */
export function jsonSchema(): JsonSchema {
  made ??= z.toJSONSchema(configSchema, { io: "input" }) as JsonSchema;
  return made;
}
