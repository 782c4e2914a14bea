import { z } from "zod";

// What several messages of the admin API have in common.

export const flag = z
  .enum(["true", "false", ""], { error: "expected true or false" })
  .default("false")
  .transform((text) => text !== "false");

export const reason = z
  .string({ error: 'say why, for the audit log: {"reason": "..."}' })
  .trim()
  .min(1, "must not be empty; it is for the audit log")
  .max(500);

export const dryRunQuery = z.strictObject({
  dryRun: flag.describe("Answers what would change, and changes nothing."),
});

export const force = z.boolean().default(false).describe("The same as ?force=true.");

export const health = z.enum(["unknown", "up", "degraded", "down"]);

export const admission = z.enum(["open", "draining", "closed"]);

export const milliseconds = z.number().nullable().describe("Milliseconds; null when not known.");

export const instant = z.iso.datetime();

export const problemAnswer = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  requestId: z.string(),
  fault: z.string().describe("One word for what is wrong."),
});

export const role = z.enum(["writer", "replica", "standby"]);

export const location = z
  .tuple([z.number(), z.number()])
  .nullable()
  .describe("Latitude and longitude; null when the file does not say.");

export const position = z.strictObject({ epoch: z.int(), at: z.string().describe("16 hex digits.") });

export const noBody = z.strictObject({});

export const text = z.string();
