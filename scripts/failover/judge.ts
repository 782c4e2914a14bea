import { check, type Finding, type Terms, violations } from "../chaos/checker.ts";
import type { Operation } from "../chaos/history.ts";
import { type Evidence, failedOf, isServed } from "./evidence.ts";
import { type Figures, figuresOf, lostOf } from "./figures.ts";
import type { Entry } from "./ledger.ts";
import type { Promises } from "./scenario.ts";
import { GRACE_WINDOW_MS } from "./settings.ts";
import type { Sighting } from "./watch.ts";
import type { FailoverWorldRecord } from "./world-record.ts";

export interface Judged {
  readonly figures: Figures;
  /** How many requests failed, by kind. */
  readonly failures: Readonly<Record<string, number>>;
  /** What was promised and not kept, in words. */
  readonly broken: readonly string[];
  /** Reads and writes that show it. */
  readonly findings: readonly Finding[];
}

/** What a busy machine may still have to end when all edges agree. */
const SETTLING_MS = 500;
/** The last write that was taken may be this much older than the last request. */
const WRITES_END_MS = 1_000;

export function judge(evidence: Evidence, promises: Promises): Judged {
  const findings = violations(check(historyOf(evidence), termsOf(promises)));
  const figures = figuresOf(evidence, findings);
  return {
    figures,
    findings,
    failures: countedBy(failedOf(evidence).map(({ kind, fault, status }) => `${kind} ${fault ?? status}`)),
    broken: [
      ...evidence.missed,
      ...brokenIn(figures, promises),
      ...endings(evidence, promises),
      ...(promises.losesNothing ? [] : lostNeedlessly(evidence)),
      ...malformedCalls(evidence.record),
      ...epochsThatFell(evidence.sightings),
    ],
  };
}

/** A write whose only region is away is lost to its user until that is decided. */
function historyOf({ operations, record }: Evidence) {
  const executions = record.executions.map((entry) => ({
    ...entry,
    lostAtMs: entry.lostAtMs ?? hiddenSince(entry, record),
  }));
  return { ...record, executions, operations, clocks: [] };
}

function hiddenSince({ region, appliedAtMs }: Entry, { outages }: FailoverWorldRecord): number | null {
  const isElsewhere = (atMs: number) =>
    Object.entries(appliedAtMs).some(([id, appliedMs]) => id !== region && appliedMs <= atMs);
  const outage = outages.find(
    (one) => one.region === region && one.fromMs >= (appliedAtMs[region] ?? 0) && !isElsewhere(one.fromMs),
  );
  return outage?.fromMs ?? null;
}

function termsOf({ forgets = false }: Promises): Terms {
  return {
    mode: "strict",
    stalenessMs: 0,
    windowMs: GRACE_WINDOW_MS,
    skewMs: 0,
    outcomeUnknown: () => true,
    unrecordable: () => forgets,
  };
}

function brokenIn(figures: Figures, { noneFails, losesNothing, moves }: Promises): readonly string[] {
  const rules: readonly (readonly [holds: boolean, what: string])[] = [
    [!noneFails || figures.failed === 0, `${figures.failed} requests failed`],
    [figures.twice === 0, `${figures.twice} writes were executed twice`],
    [!losesNothing || figures.lost === 0, `${figures.lost} acknowledged writes are lost`],
    [figures.stale === 0, `${figures.stale} reads were stale and did not say so`],
    [figures.notMonotonic === 0, `${figures.notMonotonic} reads went back and did not say so`],
    [figures.told === figures.lostUsersReading, "somebody who lost a write was not told"],
    [figures.sharedEpochs === 0, "two regions took writes in one epoch"],
    [figures.fenced === 0, `${figures.fenced} writes were taken in an epoch that was over`],
    [moves === null || moves.includes(figures.moves), `${figures.moves} epochs were begun`],
  ];
  return rules.filter(([holds]) => !holds).map(([, what]) => what);
}

/** When all edges agree, nothing has an excuse any more. */
function endings(evidence: Evidence, { writer }: Promises): readonly string[] {
  const { operations, settledAtMs, lastWriter } = evidence;
  const late = failedOf(evidence).filter(({ sentMs }) => sentMs > settledAtMs + SETTLING_MS).length;
  const lastSent = (of: readonly Operation[]) => Math.max(0, ...of.map(({ sentMs }) => sentMs));
  const taken = operations.filter((one) => one.kind === "write" && isServed(one));
  const rules: readonly (readonly [holds: boolean, what: string])[] = [
    [Number.isFinite(settledAtMs), "the edges never agreed"],
    [late === 0, `${late} requests failed when all was over`],
    [lastSent(operations) - lastSent(taken) < WRITES_END_MS, "no writes are taken in the end"],
    [writer === undefined || lastWriter === writer, `writes go to ${lastWriter} in the end`],
  ];
  return rules.filter(([holds]) => !holds).map(([, what]) => what);
}

/** An emergency may lose what a region had given to nobody when it was cut off, and nothing else. */
function lostNeedlessly(evidence: Evidence): readonly string[] {
  const { outages } = evidence.record;
  const needless = lostOf(evidence).filter(({ entry: { region, lostAtMs } }) => {
    const atMs = lostAtMs ?? 0;
    const isAway = outages.some(
      (one) => one.region === region && one.fromMs <= atMs && atMs <= (one.toMs ?? Number.POSITIVE_INFINITY),
    );
    return !isAway;
  });
  return needless.length === 0 ? [] : [`${needless.length} writes are lost that could have been kept`];
}

function malformedCalls({ hookCalls }: FailoverWorldRecord): readonly string[] {
  const calls = hookCalls.filter(({ malformed }) => malformed.length > 0);
  return calls.map(({ malformed, body }) => `a wrong ${malformed.join(", ")} in ${JSON.stringify(body)}`);
}

function epochsThatFell(sightings: readonly Sighting[]): readonly string[] {
  const byEdge = Map.groupBy(sightings, ({ edge }) => edge);
  return [...byEdge].flatMap(([edge, seen]) => {
    const epochs = seen.flatMap((sighting) => (sighting.what === "epoch" ? sighting.epoch : []));
    const isRising = epochs.every((epoch, index) => epoch >= (epochs[index - 1] ?? 0));
    return isRising ? [] : [`${edge} went back an epoch`];
  });
}

function countedBy(words: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...Map.groupBy(words, (word) => word)].map(([word, { length }]) => [word, length]),
  );
}
