import type { Finding } from "../chaos/checker.ts";
import type { Operation } from "../chaos/history.ts";
import { type Evidence, failedOf, isServed, isUnanswered } from "./evidence.ts";
import type { Entry } from "./ledger.ts";
import { GRACE_WINDOW_MS } from "./settings.ts";
import type { Sighting } from "./watch.ts";

/** What a scenario came to; times in milliseconds since it was broken, null where it never happened. */
export interface Figures {
  readonly requests: number;
  readonly failed: number;
  readonly unanswered: number;
  readonly twice: number;
  readonly lost: number;
  /** Users who lost a write and read while their pin lasted; of those, who was told so each time. */
  readonly lostUsersReading: number;
  readonly told: number;
  readonly stale: number;
  readonly notMonotonic: number;
  /** Epochs in which more than one region took writes. */
  readonly sharedEpochs: number;
  /** Writes that were sent, or answered as done, when the epoch that they were executed in was over. */
  readonly fenced: number;
  /** Epochs that were begun. */
  readonly moves: number;
  readonly detectedMs: number | null;
  readonly decidedMs: number | null;
  readonly raisedMs: number | null;
  readonly firstWriteMs: number | null;
  readonly longestWriteMs: number;
  /** By how much the sender of requests was late at worst: what is more than that is the fleet's. */
  readonly lateMs: number;
}

/** A pin's end is the edge's to judge. */
const PIN_END_MS = 500;

/** `findings`: what nothing pardons. */
export function figuresOf(evidence: Evidence, findings: readonly Finding[]): Figures {
  const { operations, record } = evidence;
  const count = (kind: Finding["kind"]) => findings.filter((finding) => finding.kind === kind).length;
  const lost = lostOf(evidence);
  return {
    requests: operations.length,
    failed: failedOf(evidence).length,
    unanswered: operations.filter((one) => isUnanswered(one, evidence)).length,
    twice: count("executed-twice"),
    lost: lost.length,
    ...toldOf(lost, operations),
    stale: count("stale"),
    notMonotonic: count("not-monotonic"),
    ...splitOf(evidence),
    moves: Math.max(0, record.reigns.length - 1),
    ...timesOf(evidence),
    lateMs: Math.round(evidence.lateMs),
  };
}

export interface Lost {
  readonly write: Operation;
  readonly entry: Entry;
}

/** Writes that were acknowledged, and that the database of the last writer has not. */
export function lostOf({ operations, record }: Evidence): readonly Lost[] {
  const byOperation = Map.groupBy(record.executions, ({ operation }) => operation);
  return operations.flatMap((write) => {
    if (write.kind !== "write" || !isServed(write)) return [];
    const entries = byOperation.get(write.id) ?? [];
    const [entry] = entries;
    return entry === undefined || entries.some(({ lostAtMs }) => lostAtMs === null) ? [] : [{ write, entry }];
  });
}

function toldOf(lost: readonly Lost[], operations: readonly Operation[]) {
  const byUser = Map.groupBy(lost, ({ write }) => write.user);
  const told = [...byUser].flatMap(([user, ofUser]) => {
    const reads = operations.filter((read) => read.user === user && ofUser.some((one) => isAbout(read, one)));
    return reads.length === 0 ? [] : [reads.every(({ consistency }) => consistency !== null)];
  });
  return { lostUsersReading: told.length, told: told.filter((wasTold) => wasTold).length };
}

/** A read, while the pin of the lost write lasts, that lacks it. */
function isAbout(read: Operation, { write, entry }: Lost): boolean {
  if (read.kind !== "read" || !isServed(read) || (read.version ?? 0) >= (write.version ?? 0)) return false;
  const fromMs = Math.max(write.headMs ?? 0, entry.lostAtMs ?? 0);
  return read.sentMs >= fromMs && read.sentMs < (write.headMs ?? 0) + GRACE_WINDOW_MS - PIN_END_MS;
}

function splitOf({ operations, record: { executions, reigns } }: Evidence) {
  const epochs = Map.groupBy(executions, ({ epoch }) => epoch);
  const shared = [...epochs.values()].filter(
    (ofEpoch) => new Set(ofEpoch.map(({ region }) => region)).size > 1,
  );
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const isOver = ({ epoch }: Entry, atMs: number) =>
    reigns.some((later) => later.epoch > epoch && later.fromMs < atMs);
  const fenced = executions.filter((entry) => {
    const write = byId.get(entry.operation);
    if (write === undefined) return false;
    // What a network that is mended delivers late nobody can call back; but nobody may be told that it is done.
    return isOver(entry, write.sentMs) || (isOver(entry, entry.atMs) && isServed(write));
  });
  // Where all regions write, nobody reigns, and they share one epoch on purpose.
  return { sharedEpochs: reigns.length === 0 ? 0 : shared.length, fenced: fenced.length };
}

function timesOf({ operations, record, sightings, firstWriter, brokenAtMs }: Evidence) {
  const after = (times: readonly number[]) => {
    const later = times.filter((atMs) => atMs >= brokenAtMs);
    return later.length === 0 ? null : Math.round(Math.min(...later) - brokenAtMs);
  };
  const seen = (fits: (sighting: Sighting) => boolean) =>
    after(sightings.filter(fits).map(({ atMs }) => atMs));
  const moved = new Set(record.executions.filter(({ epoch }) => epoch > 1).map(({ operation }) => operation));
  const writes = operations.filter((one) => one.kind === "write" && isServed(one));
  return {
    detectedMs: seen((one) => one.what === "health" && one.region === firstWriter && one.to === "down"),
    decidedMs: seen((one) => one.what === "move" && one.move !== null),
    raisedMs: seen((one) => one.what === "epoch" && one.epoch > 1),
    firstWriteMs: after(writes.filter(({ id }) => moved.has(id)).map(({ headMs }) => headMs ?? 0)),
    longestWriteMs: Math.round(Math.max(0, ...writes.map(({ sentMs, headMs }) => (headMs ?? 0) - sentMs))),
  };
}
