import { z } from "zod";
import { durationWithin } from "../config/values.ts";
import {
  admission,
  dryRunQuery,
  flag,
  force,
  health,
  instant,
  location,
  milliseconds,
  reason,
  role,
} from "./message-parts.ts";

// Regions, and what operators say of them.

export const regionParams = z.strictObject({ id: z.string().describe("A region's name.") });

export const admissionQuery = dryRunQuery.extend({
  force: flag.describe("Does it although reads or writes would be left without a region."),
});

export const drainBody = z.strictObject({
  reason,
  deadline: durationWithin({ least: "1s" })
    .prefault("10m")
    .describe("How long sessions may stay. Then the region is closed."),
  force,
});

export const closeBody = z.strictObject({ reason, force });

export const undrainBody = z.strictObject({ reason: reason.optional() });

const admissionRecord = z
  .strictObject({
    state: admission,
    reason: z.string(),
    by: z.string(),
    since: instant,
    deadline: instant.nullable(),
  })
  .describe("The operator's word.");

const endpointAnswer = z.strictObject({
  url: z.string(),
  health,
  draining: z.boolean().describe("It asks to be drained."),
  latencyMs: milliseconds,
  lagMs: milliseconds,
  requestsInFlight: z.int(),
  failuresInARow: z.int().describe("Requests that failed since the last that was answered."),
  writer: z.boolean().nullable().describe("Whether it says that it takes writes."),
  epoch: z.int().nullable(),
  applied: z.string().nullable().describe("The position it says it has applied."),
  lastProbe: z.strictObject({ result: z.string(), cause: z.string().nullable(), at: instant }).nullable(),
});

/** Who is at a region, as far as this edge knows. */
const there = {
  sessions: z.int().nullable().describe("Sessions whose home it is, as far as this edge has seen."),
  pins: z.int().describe("Users whom their writes through this edge pin to it."),
  tunnels: z.int().describe("WebSockets."),
  streams: z.int().describe("Event streams."),
  requestsInFlight: z.int().describe("At this edge; tunnels and streams are among them."),
};

const estimatedEnd = instant
  .nullable()
  .describe("When nobody is left, by how those who are there get fewer; null when nothing can be said.");

const drain = z
  .strictObject({
    since: instant.describe("Since when this edge has seen it drain."),
    deadline: instant.nullable().describe("When it is closed, with everybody who is left."),
    estimatedEnd,
    ...there,
  })
  .nullable()
  .describe("While it drains: whom it waits for, and until when. Null when it does not.");

export const regionAnswer = z.strictObject({
  id: z.string(),
  role,
  jurisdiction: z.string().nullable(),
  location,
  weight: z.number(),
  health,
  admission: admission.describe("What is in force: the operator's word, or the region's wish to be drained."),
  operator: admissionRecord.nullable(),
  latencyMs: milliseconds,
  lagMs: milliseconds,
  fenced: z.boolean().describe("It takes writes of an epoch that is over, so nobody is sent there."),
  warmth: z.number().describe("Share of its traffic it takes while it comes back, 0 to 1."),
  ...there,
  requestsPerSecond: z.number().describe("That all live edges have sent there in the last ten seconds."),
  drain,
  endpoints: z.array(endpointAnswer),
});

export const regionsAnswer = z.strictObject({ regions: z.array(regionAnswer) });

const destination = z.strictObject({
  regions: z.array(z.strictObject({ region: z.string(), share: z.number().min(0).max(1) })),
  fault: z.string().nullable().describe("Why it would be refused, if it would."),
});

export const move = z.strictObject({
  traffic: z.enum(["reads", "writes"]),
  jurisdictions: z
    .array(z.string())
    .nullable()
    .describe("Held there by a residency rule; null: everybody else."),
  before: destination,
  after: destination,
});

export const loads = z.array(
  z.strictObject({
    region: z.string(),
    before: z.number(),
    after: z.number().describe("In the end."),
    capacity: z.number().nullable().describe("As configured; null when it is not."),
  }),
);

export const admissionAnswer = z.strictObject({
  region: z.string(),
  dryRun: z.boolean(),
  before: admission,
  admission: admissionRecord,
  affected: z.strictObject({ ...there, estimatedEnd }).describe("Who is there now."),
  moves: z.array(move).describe("Where new traffic goes, in the end."),
  load: loads.describe("Requests a second that live edges have sent in the last ten; empty for an undrain."),
});

export type RegionAnswer = z.output<typeof regionAnswer>;
export type AdmissionAnswer = z.output<typeof admissionAnswer>;
