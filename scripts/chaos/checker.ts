import type { Execution, History, Operation } from "./history.ts";

export type Mode = "strict" | "bounded" | "cookie" | "off";

/** What is promised, and what was broken on purpose. */
export interface Terms {
  readonly mode: Mode;
  /** Mode bounded: after how long the user's other clients are promised a write. */
  readonly stalenessMs: number;
  /** Whether a region was broken when this was sent, so that an edge could not know what became of a write. */
  readonly outcomeUnknown: (operation: Operation) => boolean;
  /** Whether this edge may have been without Redis, so that a write whose answer was lost could not be recorded. */
  readonly unrecordable: (operation: Operation) => boolean;
}

/**
 * Why a finding is none of the edge's fault: the read said that it may be stale; the write said that only its own
 * browser is pinned; nobody got an answer that could have said so; the mode does not promise it; or the region broke.
 */
export type Pardon = "read-said" | "write-said" | "unanswered" | "not-promised" | "region-broken";

export interface Finding {
  readonly kind: "stale" | "not-monotonic" | "executed-twice" | "error-after-commit" | "head-unrecorded";
  readonly operation: Operation;
  /** The write or the read that shows it. */
  readonly because: Operation | null;
  /** null: a violation. */
  readonly pardon: Pardon | null;
}

/** Everything in a history that is not as one would wish, with why it is pardoned if it is. */
export function check({ operations, executions }: History, terms: Terms): readonly Finding[] {
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const writerOf = new Map(
    executions.map(({ key, version, operation }) => [`${key}@${version}`, byId.get(operation) ?? null]),
  );
  const perKey = Map.groupBy(operations, ({ key }) => key);
  return [
    ...[...perKey.values()].flatMap((ofKey) => readFindings(ofKey, writerOf, terms)),
    ...ledgerFindings(byId, executions, terms),
    ...operations.filter((operation) => isUnrecorded(operation, terms)).map(unrecorded),
  ];
}

/** Findings that nothing pardons. */
export function violations(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ pardon }) => pardon === null);
}

type Sources = ReadonlyMap<string, Operation | null>;

function readFindings(ofKey: readonly Operation[], sources: Sources, terms: Terms): readonly Finding[] {
  const reads = ofKey.filter((one) => one.kind === "read" && succeeded(one));
  const writes = ofKey.filter((one) => one.kind === "write" && succeeded(one));
  return reads.flatMap((read) => [
    ...staleFinding(read, writes, terms),
    ...monotonicFinding(read, reads, sources, terms),
  ]);
}

/** A read that lacks a write whose head had arrived before the read was sent. */
function staleFinding(read: Operation, writes: readonly Operation[], terms: Terms): readonly Finding[] {
  const missing = newest(writes.filter((write) => before(write, read) && isNewer(write, read)));
  const [last] = missing;
  if (last === undefined) return [];
  const finding = (because: Operation, pardon: Pardon | null): Finding[] => [
    { kind: "stale", operation: read, because, pardon },
  ];
  const [owed] = missing.filter((write) => promised(write, read, terms));
  if (owed === undefined) return finding(last, "not-promised");
  if (read.consistency !== null) return finding(owed, "read-said");
  const [unsaid] = missing.filter(
    (write) => promised(write, read, terms) && (write.consistency === null || sameBrowser(write, read)),
  );
  return unsaid === undefined ? finding(owed, "write-said") : finding(unsaid, null);
}

/** A read older than one that was answered before it was sent. */
function monotonicFinding(
  read: Operation,
  reads: readonly Operation[],
  sources: Sources,
  terms: Terms,
): readonly Finding[] {
  const [because] = newest(reads.filter((earlier) => before(earlier, read) && isNewer(earlier, read)));
  if (because === undefined) return [];
  const source = sources.get(`${because.key}@${because.version}`) ?? null;
  return [{ kind: "not-monotonic", operation: read, because, pardon: monotonicPardon(read, source, terms) }];
}

function monotonicPardon(read: Operation, source: Operation | null, terms: Terms): Pardon | null {
  if (terms.mode !== "strict") return "not-promised";
  if (read.consistency !== null) return "read-said";
  if (source === null) return null;
  if (succeeded(source)) return source.consistency === null ? null : "write-said";
  return terms.unrecordable(source) ? "unanswered" : null;
}

function ledgerFindings(
  byId: ReadonlyMap<string, Operation>,
  executions: readonly Execution[],
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
      ...((operation.status ?? 0) >= 500 ? [errorAfterCommit(operation, terms)] : []),
    ];
  });
}

/** What an edge may answer when the region was cut off or too slow: it cannot know, and says 502 or 504. */
const UNKNOWN_OUTCOMES: ReadonlySet<string> = new Set(["reset", "response_timeout", "bad_response"]);

function errorAfterCommit(operation: Operation, terms: Terms): Finding {
  const broken = operation.cut === "region" || terms.outcomeUnknown(operation);
  const pardon = broken && UNKNOWN_OUTCOMES.has(operation.fault ?? "") ? "region-broken" : null;
  return { kind: "error-after-commit", operation, because: null, pardon };
}

function isUnrecorded(operation: Operation, { mode }: Terms): boolean {
  return mode === "strict" && succeeded(operation) && !operation.recorded && operation.recorded !== null;
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
