import { z } from "zod";
import { abortAbove, drillKind } from "../config/schema-schedule.ts";
import { durationWithin } from "../config/values.ts";
import { force, instant, reason } from "./message-parts.ts";
import { loads, move } from "./region-messages.ts";

// Drills.

export const drillBody = z.strictObject({
  region: z.string().describe("A region's name."),
  lasts: durationWithin({ least: "1s", most: "1d" }).describe("How long it lasts."),
  kind: drillKind
    .default("black-hole")
    .describe("Black-hole: the edges cannot reach it, and have to find out. Drain: they send nobody there."),
  abortAbove: abortAbove.describe("When it is ended before its time."),
  reason: reason.optional(),
  force,
});

export const stopDrillBody = z.strictObject({ reason: reason.optional() });

const drillTotals = {
  requests: z.int().describe("That came and ended while it was on, at all edges."),
  lost: z.int().describe("Those of them that failed."),
  retried: z.int().describe("Answered by another region, after an attempt in vain."),
  sessionsMoved: z.int(),
  pinsMoved: z.int().describe("Reads of users who were held in the region, answered elsewhere."),
};

const errorRatio = z.number().min(0).max(1).describe("`lost` of `requests`.");

const sinceBegin = z.int().nullable().describe("Milliseconds since it began; null: it never came to that.");

const writesThen = z.strictObject({ region: z.string().nullable(), epoch: z.int() });

const drillHead = {
  id: z.string(),
  region: z.string(),
  kind: drillKind,
  who: z.string(),
  reason: z.string(),
  scheduled: z.boolean().describe("Whether the calendar has begun it."),
  forced: z.boolean(),
  abortAbove: z.strictObject({ errorRatio: z.number() }),
  startedAt: instant,
};

export const drillReport = z.strictObject({
  ...drillHead,
  ...drillTotals,
  errorRatio,
  endedAt: instant,
  lastedMs: z.int(),
  result: z
    .enum(["passed", "aborted", "stopped", "lost"])
    .describe("`aborted`: too many requests failed. `lost`: its edge, or the shared store, was lost."),
  why: z.string(),
  endedBy: z.string(),
  detectMs: z
    .strictObject({ first: sinceBegin, last: sinceBegin })
    .describe("When the first and the last edge knew that the region was lost."),
  shiftMs: sinceBegin.describe("When the last edge asked the region for the last time."),
  recoveryMs: sinceBegin.describe("When clients felt nothing any more; 0: never did; null: to the end."),
  firstWriteMs: sinceBegin.describe("When the first write went elsewhere, if the region took the writes."),
  writes: z.strictObject({ before: writesThen, after: writesThen }),
  edges: z.array(
    z.strictObject({
      edge: z.string(),
      ...drillTotals,
      detectMs: sinceBegin,
      shiftMs: sinceBegin,
      troubleMs: sinceBegin.describe("When the first request failed, or an attempt at it."),
      recoveryMs: sinceBegin,
      firstWriteMs: sinceBegin,
    }),
  ),
});

const drillNow = z.strictObject({
  ...drillHead,
  until: instant,
  by: z.string().describe("The edge that supervises it."),
  ended: z.boolean().describe("Whether it is over, and only its report is missing."),
  soFar: z.strictObject({ ...drillTotals, errorRatio }),
});

export const drillsAnswer = z.strictObject({
  running: drillNow.nullable(),
  history: z.array(drillReport).describe("The last hundred, the newest first."),
});

export const drillAnswer = z.strictObject({
  dryRun: z.boolean(),
  drill: drillNow.nullable().describe("Null in a dry run."),
  objections: z
    .array(z.strictObject({ word: z.string(), why: z.string(), instead: z.string() }))
    .describe("What speaks against it, and was overridden by force."),
  warnings: z.array(z.string()),
  moves: z.array(move).describe("Where new traffic goes while the region is lost, once the edges know."),
  load: loads.describe("Requests a second that live edges have sent in the last ten, and then."),
});

export const stopDrillAnswer = z.strictObject({ dryRun: z.boolean(), drill: drillNow });

export type DrillAnswer = z.output<typeof drillAnswer>;
export type DrillsAnswer = z.output<typeof drillsAnswer>;
export type StopDrillAnswer = z.output<typeof stopDrillAnswer>;
