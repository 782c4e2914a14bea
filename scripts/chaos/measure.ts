import type { Execution, History, Operation, Reign } from "./history.ts";

/** How long pins last: see `least` and `window` in docs/chaos.md. */
export interface PinTimes {
  readonly windowMs: number;
  /** Of a write whose outcome nobody knows. */
  readonly intentMs: number;
}

/** A read of a client that is at home in a replica. */
export interface ReadFromAfar {
  readonly read: Operation;
  readonly byWriter: boolean;
  /** No other region had what the user knew to be written, so that none could have served every read of this user. */
  readonly bound: boolean;
  /** Its home lacked it, whatever other regions had. */
  readonly homeBehind: boolean;
  /** Sent while a pin lasts that knows of no positions. */
  readonly inWindow: boolean;
}

/** From a write's head until a replica serves its user again. */
export interface Homecoming {
  readonly write: Operation;
  readonly afterMs: number;
}

export interface Measures {
  readonly fromAfar: readonly ReadFromAfar[];
  readonly homecomings: readonly Homecoming[];
}

/** What keeping the promise has cost: reads that went to the writer, against those that had to; and for how long. */
export function measure(history: History, times: PinTimes): Measures {
  const executionOf = new Map(history.executions.map((execution) => [execution.operation, execution]));
  const versions = new Map(history.executions.map((execution) => [execution.version, execution]));
  const users = [...Map.groupBy(history.operations, ({ user }) => user).values()];
  const each = users.map((unsorted) => {
    const operations = unsorted.toSorted((one, other) => one.sentMs - other.sentMs);
    const reads = operations.filter((one) => isServedRead(one) && isFromAfar(one, history));
    const knows = knowledgeOf(operations, versions, executionOf);
    const inWindow = windowsOf(operations, executionOf, times);
    return {
      fromAfar: reads.map((read) => ({
        read,
        byWriter: read.region === writerAt(read.sentMs, history.reigns),
        bound: isBound(knows(read.sentMs), read.sentMs, history),
        homeBehind: lacks(read.home, knows(read.sentMs), read.sentMs),
        inWindow: inWindow(read.sentMs),
      })),
      homecomings: homecomingsOf(operations, reads, times, history),
    };
  });
  return {
    fromAfar: each.flatMap(({ fromAfar }) => fromAfar),
    homecomings: each.flatMap(({ homecomings }) => homecomings),
  };
}

function isServedRead({ kind, status }: Operation): boolean {
  return kind === "read" && status === 200;
}

/** Its home is no writer, and in service. */
function isFromAfar({ home, sentMs }: Operation, history: History): boolean {
  return home !== writerAt(sentMs, history.reigns) && isInService(home, sentMs, history);
}

function writerAt(atMs: number, reigns: readonly Reign[]): string {
  const reign = reigns.findLast(({ fromMs }) => fromMs <= atMs) ?? reigns[0];
  return reign?.writer ?? "";
}

function isInService(region: string, atMs: number, { outages }: History): boolean {
  return !outages.some(
    (outage) =>
      outage.region === region && outage.fromMs <= atMs && atMs < (outage.toMs ?? Number.POSITIVE_INFINITY),
  );
}

/** Whether no region but the writer had the newest of what is known. A region that has it has all before it. */
function isBound(newest: Execution | null, atMs: number, history: History): boolean {
  if (newest === null) return false;
  const writer = writerAt(atMs, history.reigns);
  return Object.keys(newest.appliedAtMs).every(
    (region) => region === writer || lacks(region, newest, atMs) || !isInService(region, atMs, history),
  );
}

function lacks(region: string, newest: Execution | null, atMs: number): boolean {
  return newest !== null && (newest.appliedAtMs[region] ?? Number.POSITIVE_INFINITY) > atMs;
}

/** By time: the newest write that its user knows of, by its own answer or by a read that showed it. What was lost is none. */
function knowledgeOf(
  operations: readonly Operation[],
  versions: ReadonlyMap<number, Execution>,
  executionOf: ReadonlyMap<string, Execution>,
): (atMs: number) => Execution | null {
  const news = operations
    .filter(({ status }) => status === 200)
    .map(({ kind, id, version, headMs }) => ({
      execution: kind === "write" ? executionOf.get(id) : versions.get(version ?? 0),
      knownMs: headMs ?? 0,
    }))
    .filter(({ execution }) => execution !== undefined && execution.lostAtMs === null)
    .sort((one, other) => one.knownMs - other.knownMs);
  const newest: { readonly knownMs: number; readonly execution: Execution }[] = [];
  for (const { knownMs, execution } of news)
    if (execution !== undefined && execution.version > (newest.at(-1)?.execution.version ?? 0))
      newest.push({ knownMs, execution });
  return (atMs) => newest.findLast(({ knownMs }) => knownMs <= atMs)?.execution ?? null;
}

/** Whether a pin without positions holds at a time: from when a write is sent until `windowMs` after its head. */
function windowsOf(
  operations: readonly Operation[],
  executionOf: ReadonlyMap<string, Execution>,
  { windowMs, intentMs }: PinTimes,
): (atMs: number) => boolean {
  const windows = operations.flatMap(({ id, sentMs, status, headMs }) => {
    const execution = executionOf.get(id);
    if (execution === undefined) return [];
    const endMs = status === 200 && headMs !== null ? headMs + windowMs : execution.atMs + intentMs;
    return [{ sentMs, endMs }];
  });
  return (atMs) => windows.some(({ sentMs, endMs }) => sentMs <= atMs && atMs < endMs);
}

/** Only writes after which the user wrote nothing for two windows: others would count those that came home soon. */
function homecomingsOf(
  operations: readonly Operation[],
  fromAfar: readonly Operation[],
  { windowMs }: PinTimes,
  { reigns }: History,
): readonly Homecoming[] {
  const endMs = operations.at(-1)?.sentMs ?? 0;
  return operations.flatMap((write) => {
    const { kind, status, headMs, sentMs } = write;
    if (kind !== "write" || status !== 200 || headMs === null) return [];
    const next = operations.find(
      (other) => other.kind === "write" && other !== write && other.sentMs >= sentMs,
    );
    const untilMs = next?.sentMs ?? endMs;
    if (untilMs < headMs + 2 * windowMs) return [];
    const back = fromAfar.find(
      (read) => read.sentMs >= headMs && read.region !== writerAt(read.sentMs, reigns),
    );
    return [{ write, afterMs: Math.min(back?.sentMs ?? untilMs, untilMs) - headMs }];
  });
}
