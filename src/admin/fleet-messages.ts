import { z } from "zod";
import { drillKind } from "../config/schema-schedule.ts";
import { health, instant, location, milliseconds, reason } from "./message-parts.ts";

// The fleet: its edges, the write region, the calendar.

export const writeRegionBody = z.strictObject({
  region: z.string().describe("A region's name."),
  reason,
  force: z.boolean().default(false).describe("Although it is not up, or may lack what the old one has."),
});

const step = z.enum(["hold", "catch-up", "hook", "verify"]);

export const moveAnswer = z
  .strictObject({
    id: z.string(),
    from: z.string(),
    to: z.string(),
    step: step.describe("From `hook` on the new region may have been promoted."),
    epoch: z.int().nullable().describe("The epoch that it begins; null before `hook`."),
    by: z.string().describe("The edge that carries it out."),
    since: instant,
    automatic: z.boolean(),
    forced: z.boolean(),
    who: z.string(),
    reason: z.string(),
  })
  .nullable()
  .describe("The move of the write region that is under way.");

const seenRegion = z.strictObject({
  health,
  latencyMs: milliseconds,
  lagMs: milliseconds,
  writer: z.boolean().nullable(),
  epoch: z.int().nullable(),
  applied: z.string().nullable(),
});

export const edgesAnswer = z.strictObject({
  edges: z.array(
    z.strictObject({
      id: z.string().describe("`EDGE/N` for a worker."),
      worker: z.int().nullable().describe("Which worker of an edge this is; null for an edge."),
      self: z.boolean().describe("Whether it is the one that answers."),
      live: z.boolean().describe("Heard of in the last four seconds."),
      seenMsAgo: z.number(),
      version: z.string(),
      location,
      holdsWrites: z.boolean().describe("For the move of the write region that is under way."),
      writesUnderWay: z.int(),
      regions: z.record(z.string(), seenRegion).describe("What it sees of each."),
    }),
  ),
  quorum: z
    .strictObject({
      known: z.int().describe("Edges heard of in the last five minutes that have not said goodbye."),
      live: z.int(),
      needed: z.int().describe("So many have to agree on the write region."),
      writerDown: z.int().describe("Live edges that see the write region down."),
      writerUp: z.int(),
    })
    .describe("Who decides on the write region."),
});

export const writes = z.strictObject({ writeRegion: z.string().nullable(), epoch: z.int() });

export const writeRegionAnswer = z.strictObject({
  dryRun: z.boolean(),
  before: writes,
  after: writes,
  promotedPosition: z
    .string()
    .nullable()
    .describe("Where the new epoch begins; what was written beyond it is lost."),
  heldMs: milliseconds.describe("For how long no edge took writes."),
});

const maintenance = z.strictObject({
  region: z.string(),
  action: z.enum(["drain", "close"]),
  cron: z.string(),
  timezone: z.string(),
  lasts: z.string().describe("As in the file, `30m`."),
  reason: z.string().nullable(),
  next: instant.nullable().describe("When the next window begins, the one that is open not counted."),
  open: z.boolean().describe("Whether the region is out of service for it now."),
  until: instant.nullable().describe("When the window that is open ends."),
});

const scheduledDrill = z.strictObject({
  region: z.string(),
  kind: drillKind,
  cron: z.string(),
  timezone: z.string(),
  lasts: z.string().describe("As in the file, `2m`."),
  abortAbove: z.strictObject({ errorRatio: z.number() }),
  reason: z.string().nullable(),
  next: instant.nullable().describe("When the next begins, the one that runs not counted."),
  running: z.boolean(),
  until: instant.nullable().describe("When the one that runs ends."),
});

export const scheduleAnswer = z.strictObject({
  maintenance: z.array(maintenance),
  drills: z.array(scheduledDrill),
});

export type WriteRegionAnswer = z.output<typeof writeRegionAnswer>;
export type ScheduleAnswer = z.output<typeof scheduleAnswer>;
export type EdgesAnswer = z.output<typeof edgesAnswer>;
