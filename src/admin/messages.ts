import { z } from "zod";
import { abortAbove, drillKind } from "../config/schema-schedule.ts";
import { durationWithin } from "../config/values.ts";

/*
 * What the admin API takes and answers. Requests are checked against these schemas and unknown keys refused;
 * answers are documented by them in openapi.json, and the tests hold the answers to it.
 */

const flag = z
  .enum(["true", "false", ""], { error: "expected true or false" })
  .default("false")
  .transform((text) => text !== "false");

const reason = z
  .string({ error: 'say why, for the audit log: {"reason": "..."}' })
  .trim()
  .min(1, "must not be empty; it is for the audit log")
  .max(500);

export const regionParams = z.strictObject({ id: z.string().describe("A region's name.") });
export const requestParams = z.strictObject({ requestId: z.string().describe("The answer's x-request-id.") });

export const dryRunQuery = z.strictObject({
  dryRun: flag.describe("Answers what would change, and changes nothing."),
});
export const admissionQuery = dryRunQuery.extend({
  force: flag.describe("Does it although reads or writes would be left without a region."),
});
export const verboseQuery = z.strictObject({ verbose: flag.describe("Says why.") });

const force = z.boolean().default(false).describe("The same as ?force=true.");
export const drainBody = z.strictObject({
  reason,
  deadline: durationWithin({ least: "1s" })
    .prefault("10m")
    .describe("How long sessions may stay. Then the region is closed."),
  force,
});
export const closeBody = z.strictObject({ reason, force });
export const undrainBody = z.strictObject({ reason: reason.optional() });

export const writeRegionBody = z.strictObject({
  region: z.string().describe("A region's name."),
  reason,
  force: z.boolean().default(false).describe("Although it is not up, or may lack what the old one has."),
});

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

export const explainBody = z.strictObject({
  method: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected a method such as GET"),
  path: z.string().startsWith("/", "expected a path that starts with /").max(8192),
  headers: z.record(z.string(), z.string()).default({}),
});

export const identityBody = z.strictObject({
  kind: z
    .string()
    .min(1)
    .describe("`header:NAME`, `cookie:NAME` or `jwt:CLAIM`, as in consistency.identity."),
  value: z.string().min(1).describe("The value as the client sends it."),
});
export const releaseBody = identityBody.extend({ reason: reason.optional() });

const health = z.enum(["unknown", "up", "degraded", "down"]);
const admission = z.enum(["open", "draining", "closed"]);
const milliseconds = z.number().nullable().describe("Milliseconds; null when not known.");
const instant = z.iso.datetime();

export const problemAnswer = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  requestId: z.string(),
  fault: z.string().describe("One word for what is wrong."),
});

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

const step = z.enum(["hold", "catch-up", "hook", "verify"]);
const moveAnswer = z
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
});

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
      id: z.string(),
      self: z.boolean().describe("Whether it is the one that answers."),
      live: z.boolean().describe("Heard of in the last four seconds."),
      seenMsAgo: z.number(),
      version: z.string(),
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

const role = z.enum(["writer", "replica", "standby"]);

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
  weight: z.number(),
  health,
  admission: admission.describe("What is in force: the operator's word, or the region's wish to be drained."),
  operator: admissionRecord.nullable(),
  latencyMs: milliseconds,
  lagMs: milliseconds,
  fenced: z.boolean().describe("It takes writes of an epoch that is over, so nobody is sent there."),
  warmth: z.number().describe("Share of its traffic it takes while it comes back, 0 to 1."),
  ...there,
  drain,
  endpoints: z.array(endpointAnswer),
});
export const regionsAnswer = z.strictObject({ regions: z.array(regionAnswer) });

const writes = z.strictObject({ writeRegion: z.string().nullable(), epoch: z.int() });
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

const destination = z.strictObject({
  regions: z.array(z.strictObject({ region: z.string(), share: z.number().min(0).max(1) })),
  fault: z.string().nullable().describe("Why it would be refused, if it would."),
});
const move = z.strictObject({
  traffic: z.enum(["reads", "writes"]),
  jurisdictions: z
    .array(z.string())
    .nullable()
    .describe("Held there by a residency rule; null: everybody else."),
  before: destination,
  after: destination,
});
const loads = z.array(
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
const position = z.strictObject({ epoch: z.int(), at: z.string().describe("16 hex digits.") });
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

const pin = z.strictObject({
  pid: z.string().describe("The user, hashed."),
  remainingMs: z.number().describe("How long reads stay with the writer."),
  writes: z.int().describe("Writes that hold it open."),
});
export const noBody = z.strictObject({});

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
export const text = z.string();

export type WriteRegionAnswer = z.output<typeof writeRegionAnswer>;
export type DrillAnswer = z.output<typeof drillAnswer>;
export type DrillsAnswer = z.output<typeof drillsAnswer>;
export type StopDrillAnswer = z.output<typeof stopDrillAnswer>;
export type ScheduleAnswer = z.output<typeof scheduleAnswer>;
export type EdgesAnswer = z.output<typeof edgesAnswer>;
export type StatusAnswer = z.output<typeof statusAnswer>;
export type RegionAnswer = z.output<typeof regionAnswer>;
export type AdmissionAnswer = z.output<typeof admissionAnswer>;
export type ExplanationAnswer = z.output<typeof explanationAnswer>;
export type DecisionAnswer = z.output<typeof decisionAnswer>;
