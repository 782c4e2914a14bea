import { z } from "zod";
import { admission, health, instant, milliseconds, position, role } from "./message-parts.ts";

// Decisions, and why they were taken.

export const requestParams = z.strictObject({ requestId: z.string().describe("The answer's x-request-id.") });

export const explainBody = z.strictObject({
  method: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected a method such as GET"),
  path: z.string().startsWith("/", "expected a path that starts with /").max(8192),
  headers: z.record(z.string(), z.string()).default({}),
});

const decision = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("routed"),
    region: z.string(),
    reason: z.string(),
    consistency: z.enum(["degraded", "stale", "lost"]).nullable(),
    home: z.string().optional().describe("Where the session lives from now on, when that is elsewhere."),
  }),
  z.strictObject({ kind: z.literal("refused"), fault: z.string() }),
]);

const regionExplained = z.strictObject({
  id: z.string(),
  role,
  jurisdiction: z.string().nullable(),
  weight: z.number(),
  health,
  admission,
  latencyMs: milliseconds,
  lagMs: milliseconds,
  applied: position.nullable().describe("Up to where all of it has applied the write log."),
  writer: z.boolean().nullable().describe("Whether it says that it takes writes."),
  fenced: z.boolean(),
  warmth: z.number(),
  verdict: z.enum(["serves", "dropped"]),
  obstacle: z.string().nullable().describe("Why it was dropped."),
});

export const explanationAnswer = z.strictObject({
  decision,
  facts: z.strictObject({
    intent: z.enum(["read", "write", "static"]),
    jurisdictions: z.array(z.string()).nullable(),
    affinity: z.string().nullable(),
    movedMs: z.number().nullable().describe("How long ago the session came there from another region."),
    identified: z.boolean(),
    chance: z.number(),
  }),
  pin: z.enum(["free", "pinned", "unknown", "waived", "unasked"]),
  hold: z
    .strictObject({
      positions: z.array(position).describe("Where the user's writes stand, the newest of each epoch."),
      open: z.boolean().describe("Only the writer will do."),
      regions: z.array(z.string()).describe("Under multi-writer: which took the writes, the latest first."),
    })
    .nullable()
    .describe("What is known to hold the user."),
  rules: z.strictObject({
    policy: z.enum(["latency", "priority", "weighted"]),
    topology: z.enum(["single-writer", "multi-writer"]),
    whenAllDown: z.enum(["try", "refuse"]),
    whenWriterDown: z.enum(["refuse", "stale"]),
    maxLagMs: z.number(),
    monotonicReads: z.strictObject({ unknownLagMs: z.number(), marginMs: z.number() }).nullable(),
    residency: z.array(z.looseObject({ jurisdictions: z.array(z.string()) })),
    paths: z.array(z.looseObject({ path: z.string() })),
  }),
  tried: z.array(z.string()).describe("Regions that had failed this request before."),
  regions: z.array(regionExplained),
});

export const decisionAnswer = z.strictObject({
  request: z.looseObject({ id: z.string(), method: z.string(), path: z.string(), status: z.int() }),
  explanation: explanationAnswer.nullable().describe("Null when it was refused before it was routed."),
});

export const recentQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe("As many at most."),
});

export const recentAnswer = z.strictObject({
  decisions: z
    .array(
      z.strictObject({
        id: z.string().describe("`GET /v1/decisions/{id}` explains it."),
        at: instant.describe("When it came."),
        method: z.string(),
        path: z.string().describe("Without the query string."),
        status: z.int(),
        region: z.string().nullable(),
        reason: z.string().nullable(),
        fault: z.string().nullable(),
        consistency: z.string().nullable(),
        attempts: z.int(),
        durationMs: z.number(),
      }),
    )
    .describe("Of requests that are over, the latest first."),
});

export type RecentAnswer = z.output<typeof recentAnswer>;
export type ExplanationAnswer = z.output<typeof explanationAnswer>;
export type DecisionAnswer = z.output<typeof decisionAnswer>;
