import { z } from "zod";
import type { Route } from "./app.ts";
import { problemAnswer } from "./message-parts.ts";

type Json = Readonly<Record<string, unknown>>;

/** The OpenAPI 3.1 description of these routes, from the very schemas that requests are checked against. */
export function openapiOf(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes.filter(({ method, page }) => method !== "HEAD" && !page)) {
    const path = route.url.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Meridian admin API", version },
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemAnswer, "output") },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function operation({ schema, access }: Route): Json {
  const body = schema.body as z.ZodType | undefined;
  const parameters = [...parametersIn("path", schema.params), ...parametersIn("query", schema.querystring)];
  return {
    summary: schema.summary,
    security: access === "anyone" ? [] : [{ token: [] }],
    ...(access === "anyone" ? {} : { "x-meridian-role": access }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: requestBody(body) } : {}),
    responses: {
      200: {
        description: "Done.",
        content: { [schema.produces ?? "application/json"]: { schema: answerSchema(schema.response) } },
      },
      default: {
        description: "Refused.",
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

function requestBody(body: z.ZodType): Json {
  const schema = jsonSchema(body, "input");
  const required = Array.isArray(schema.required) && schema.required.length > 0;
  return { required, content: { "application/json": { schema } } };
}

function parametersIn(place: "path" | "query", given: unknown): readonly Json[] {
  if (!(given instanceof z.ZodObject)) return [];
  const { properties } = jsonSchema(given, "input") as { properties: Record<string, Json> };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: place,
    required: place === "path",
    description,
    schema,
  }));
}

function answerSchema(response: unknown): Json {
  const answers = response as Readonly<Record<number, z.ZodType>> | undefined;
  return answers?.[200] ? jsonSchema(answers[200], "output") : {};
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
