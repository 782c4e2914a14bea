import { z } from "zod";
import { moveAnswer } from "./fleet-messages.ts";
import { admission, flag, health, reason } from "./message-parts.ts";

/*
 * What the admin API takes and answers, here and in the other files of messages. Requests are checked against these schemas and
 * unknown keys refused; answers are documented by them in openapi.json, and the tests hold the answers to it.
 */

export const verboseQuery = z.strictObject({ verbose: flag.describe("Says why.") });

export const identityBody = z.strictObject({
  kind: z
    .string()
    .min(1)
    .describe("`header:NAME`, `cookie:NAME` or `jwt:CLAIM`, as in consistency.identity."),
  value: z.string().min(1).describe("The value as the client sends it."),
});

export const releaseBody = identityBody.extend({ reason: reason.optional() });

export const livenessAnswer = z.strictObject({ live: z.literal(true) });

export const readinessAnswer = z.strictObject({
  ready: z.literal(true),
  overload: z
    .array(z.enum(["memory", "event_loop"]))
    .optional()
    .describe("With ?verbose: what there is too little of, so that new connections are refused."),
  regions: z
    .array(z.strictObject({ id: z.string(), health, admission }))
    .optional()
    .describe("With ?verbose."),
});

export const statusAnswer = z.strictObject({
  edge: z.string(),
  version: z.string(),
  uptimeSeconds: z.number(),
  configVersion: z.int().describe("1 at the start, one more with each reload that changed something."),
  epoch: z.int(),
  writeRegion: z.string().nullable(),
  mode: z.enum(["rw", "ro"]).describe("`ro` while the write region moves."),
  move: moveAnswer,
  consistency: z.enum(["strict", "bounded", "cookie", "off"]),
  redis: z.enum(["off", "up", "down"]),
  edges: z.int().describe("Edges that live, this one included."),
  workers: z.int().describe("Processes of this edge that listen for clients."),
  caller: z
    .strictObject({ name: z.string(), role: z.enum(["viewer", "operator"]) })
    .nullable()
    .describe("Who asks, by the token."),
});

const pin = z.strictObject({
  pid: z.string().describe("The user, hashed."),
  remainingMs: z.number().describe("How long reads stay with the writer."),
  writes: z.int().describe("Writes that hold it open."),
});

export const pinAnswer = z.strictObject({ pinned: z.boolean(), pins: z.array(pin) });

export const releaseAnswer = z.strictObject({ dryRun: z.boolean(), released: z.int() });

const configProblem = z.strictObject({
  path: z.string(),
  line: z.int(),
  column: z.int(),
  message: z.string(),
  hint: z.string().nullable(),
});

export const configAnswer = z.strictObject({
  configVersion: z.int(),
  config: z.looseObject({}).describe("What is in force; secrets redacted."),
  warnings: z.array(configProblem),
});

export const reloadAnswer = z.strictObject({
  dryRun: z.boolean(),
  result: z.enum(["applied", "unchanged"]),
  configVersion: z.int(),
  changes: z.array(z.string()),
  needsRestart: z.array(z.string()),
  warnings: z.array(configProblem),
});

export const openapiAnswer = z.looseObject({ openapi: z.literal("3.1.0") });

export type StatusAnswer = z.output<typeof statusAnswer>;
