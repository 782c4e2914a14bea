import { aheadOfToken } from "./clocks.ts";
import type { History, Operation, Outage } from "./history.ts";

export type Mode = "strict" | "bounded" | "cookie" | "off";

/** What is promised, and what was broken on purpose. */
export interface Terms {
  readonly mode: Mode;
  /** Mode bounded: after how long the user's other clients are promised a write. */
  readonly stalenessMs: number;
  /** How long a write's user is pinned at least, from the head. */
  readonly windowMs: number;
  /** Mode cookie: by how much wall clocks may differ. */
  readonly skewMs: number;
  /** Whether a region was broken when this was sent, so that an edge could not know what became of a write. */
  readonly outcomeUnknown: (operation: Operation) => boolean;
  /** Whether this edge may have been without Redis, so that a write whose answer was lost could not be recorded. */
  readonly unrecordable: (operation: Operation) => boolean;
}

/**
 * Why a finding is none of the edge's fault: the read said that it may be stale; the write said that only its own
 * browser is pinned; nobody got an answer that could have said so; the mode does not promise it; the region broke; a
 * promotion lost the write, and its user is pinned no more; or wall clocks differ by more than a token allows.
 */
export type Pardon =
  | "read-said"
  | "write-said"
  | "unanswered"
  | "not-promised"
  | "region-broken"
  | "lost-long-ago"
  | "clocks";

export interface Finding {
  readonly kind: "stale" | "not-monotonic" | "executed-twice" | "error-after-commit" | "head-unrecorded";
  readonly operation: Operation;
  /** The write or the read that shows it. */
  readonly because: Operation | null;
  /** null: a violation. */
  readonly pardon: Pardon | null;
}

/** Everything in a history that is not as one would wish, with why it is pardoned if it is. */
export function check(history: History, terms: Terms): readonly Finding[] {
  const { operations } = history;
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const perUser = Map.groupBy(operations, ({ user }) => user);
  return [
    ...[...perUser.values()].flatMap((ofUser) =>
      readFindings(ofUser, contextOf(history, byId, ofUser, terms)),
    ),
    ...ledgerFindings(byId, history, terms),
    ...operations.filter((operation) => isUnrecorded(operation, terms)).map(unrecorded),
  ];
}

/** Findings that nothing pardons. */
export function violations(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ pardon }) => pardon === null);
}

/** What the reads of one user are judged by. */
interface Context {
  readonly terms: Terms;
  /** Who wrote this version; null when nobody that we know of. */
  readonly sourceOf: (version: number | null) => Operation | null;
  /** Whether the region that served a read had not applied this write, whatever the read is about. */
  readonly lacked: (read: Operation, write: Operation) => boolean;
  /** When a promotion lost this version; null when none did. */
  readonly lostAtMs: (version: number | null) => number | null;
  /** Whether the token that this browser reads with may be no pin where it reads. */
  readonly clocksApart: (read: Operation) => boolean;
}

function contextOf(
  { executions, clocks }: History,
  byId: ReadonlyMap<string, Operation>,
  ofUser: readonly Operation[],
  terms: Terms,
): Context {
  const keys = new Set(ofUser.map(({ key }) => key));
  const own = new Map(
    executions.filter(({ key }) => keys.has(key)).map((execution) => [execution.version, execution]),
  );
  return {
    terms,
    sourceOf: (version) => byId.get(own.get(version ?? 0)?.operation ?? "") ?? null,
    lacked: (read, { version }) => {
      const execution = own.get(version ?? 0);
      if (execution === undefined || execution.lostAtMs !== null) return false;
      return (execution.appliedAtMs[read.region ?? ""] ?? Number.POSITIVE_INFINITY) > (read.headMs ?? 0);
    },
    lostAtMs: (version) => own.get(version ?? 0)?.lostAtMs ?? null,
    clocksApart: (read) => aheadOfToken(read, ofUser, clocks) > terms.skewMs,
  };
}

function readFindings(ofUser: readonly Operation[], context: Context): readonly Finding[] {
  const reads = ofUser.filter((one) => one.kind === "read" && succeeded(one));
  const writes = ofUser.filter((one) => one.kind === "write" && succeeded(one));
  const readsOf = Map.groupBy(reads, ({ key }) => key);
  return reads.flatMap((read) => {
    const unread = writes.filter((write) => before(write, read) && lacks(read, write, context));
    const newer = (readsOf.get(read.key) ?? []).filter(
      (earlier) => before(earlier, read) && isNewer(earlier, read),
    );
    return [
      ...worst("stale", read, unread, (write) => stalePardon(write, read, context)),
      ...worst("not-monotonic", read, newer, (earlier) => monotonicPardon(earlier, read, context)),
    ];
  });
}

/** By what it returned, or, about another of the user's keys, by what its region had: an edge promises all or none. */
function lacks(read: Operation, write: Operation, { lacked }: Context): boolean {
  return read.key === write.key ? isNewer(write, read) : lacked(read, write);
}

/** Of what a read lacks: what least can be pardoned, else the newest that was promised. */
function worst(
  kind: Finding["kind"],
  read: Operation,
  missing: readonly Operation[],
  pardonOf: (because: Operation) => Pardon | null,
): readonly Finding[] {
  const judged = newest(missing).map((because) => ({ because, pardon: pardonOf(because) }));
  const found =
    judged.find(({ pardon }) => pardon === null) ??
    judged.find(({ pardon }) => pardon !== "not-promised") ??
    judged[0];
  return found === undefined ? [] : [{ kind, operation: read, ...found }];
}

/** A read lacks a write whose head had arrived before the read was sent. */
function stalePardon(write: Operation, read: Operation, context: Context): Pardon | null {
  const { terms } = context;
  if (!promised(write, read, terms)) return "not-promised";
  if (read.consistency !== null) return "read-said";
  if (write.consistency !== null && !sameBrowser(write, read)) return "write-said";
  if (isLostLongAgo(write, read, context)) return "lost-long-ago";
  return terms.mode === "cookie" && context.clocksApart(read) ? "clocks" : null;
}

/** A read is older than one that was answered before it was sent. */
function monotonicPardon(earlier: Operation, read: Operation, context: Context): Pardon | null {
  const { terms } = context;
  if (terms.mode !== "strict") return "not-promised";
  if (read.consistency !== null) return "read-said";
  const source = context.sourceOf(earlier.version);
  if (source === null) return null;
  if (succeeded(source)) {
    if (source.consistency !== null) return "write-said";
    return isLostLongAgo(source, read, context) ? "lost-long-ago" : null;
  }
  // Nobody ever said where it stands, so nobody can know that it is lost.
  return terms.unrecordable(source) || context.lostAtMs(earlier.version) !== null ? "unanswered" : null;
}

/** What a reader's clock may lack to that of the edge which ends the pin: the way there, and a busy machine. */
const PIN_END_MS = 500;

/** A promotion has lost the write, and a pin that could say so is over. */
function isLostLongAgo(write: Operation, read: Operation, { terms, lostAtMs }: Context): boolean {
  const pinnedUntilMs = (write.headMs ?? 0) + terms.windowMs - PIN_END_MS;
  return lostAtMs(write.version) !== null && read.sentMs >= pinnedUntilMs;
}

function ledgerFindings(
  byId: ReadonlyMap<string, Operation>,
  { executions, outages }: History,
  terms: Terms,
): readonly Finding[] {
  const executed = Map.groupBy(executions, ({ operation }) => operation);
  return [...executed].flatMap(([id, times]) => {
    const operation = byId.get(id);
    if (operation === undefined) return [];
    return [
      ...(times.length > 1
        ? [{ kind: "executed-twice", operation, because: null, pardon: null } as const]
        : []),
      ...((operation.status ?? 0) >= 500 ? [errorAfterCommit(operation, outages, terms)] : []),
    ];
  });
}

/** What an edge may answer when the region was cut off or too slow: it cannot know, and says 502 or 504. */
const UNKNOWN_OUTCOMES: ReadonlySet<string> = new Set(["reset", "response_timeout", "bad_response"]);

function errorAfterCommit(operation: Operation, outages: readonly Outage[], terms: Terms): Finding {
  const wentAway = outages.some(
    ({ fromMs }) => fromMs >= operation.sentMs && fromMs <= (operation.headMs ?? 0),
  );
  const broken = operation.cut === "region" || wentAway || terms.outcomeUnknown(operation);
  const pardon = broken && UNKNOWN_OUTCOMES.has(operation.fault ?? "") ? "region-broken" : null;
  return { kind: "error-after-commit", operation, because: null, pardon };
}

function isUnrecorded(operation: Operation, { mode }: Terms): boolean {
  const keepsPins = mode === "strict" || mode === "bounded";
  return keepsPins && succeeded(operation) && operation.recorded === false;
}

/** A head that says nothing must mean that the pin is where every edge looks. */
function unrecorded(operation: Operation): Finding {
  const pardon = operation.consistency === null ? null : "write-said";
  return { kind: "head-unrecorded", operation, because: null, pardon };
}

function promised(write: Operation, read: Operation, { mode, stalenessMs }: Terms): boolean {
  switch (mode) {
    case "strict":
      return true;
    case "bounded":
      return sameBrowser(write, read) || (write.headMs ?? 0) + stalenessMs <= read.sentMs;
    case "cookie":
      return sameBrowser(write, read);
    case "off":
      return false;
  }
}

function sameBrowser(write: Operation, read: Operation): boolean {
  return write.device === read.device && read.device !== "bare";
}

function succeeded({ status, version }: Operation): boolean {
  return status !== null && status < 300 && version !== null;
}

function before(earlier: Operation, read: Operation): boolean {
  return earlier.headMs !== null && earlier.headMs <= read.sentMs;
}

function isNewer(one: Operation, other: Operation): boolean {
  return (one.version ?? 0) > (other.version ?? 0);
}

function newest(operations: readonly Operation[]): readonly Operation[] {
  return operations.toSorted((one, other) => (other.version ?? 0) - (one.version ?? 0));
}
