import type { Finding } from "./checker.ts";
import type { Operation } from "./history.ts";
import type { Measures } from "./measure.ts";

/** What one phase of a run came to, or of many: numbers are added up, lists joined. */
export interface Tally {
  reads: number;
  writes: number;
  failed: number;
  stale: number;
  staleDeclared: number;
  notMonotonic: number;
  notMonotonicDeclared: number;
  executedTwice: number;
  errorsAfterCommit: number;
  headsUnrecorded: number;
  /** Of clients at home in a replica, as are the next four. */
  readsFromAfar: number;
  byWriter: number;
  bound: number;
  homeBehind: number;
  inWindow: number;
  homecomingsMs: number[];
  readMs: number[];
  writeMs: number[];
  /** In mode `off`, at the same time. */
  baselineReadMs: number[];
  baselineWriteMs: number[];
}

export type Tallies = ReadonlyMap<string, Tally>;

export interface Played {
  readonly operations: readonly Operation[];
  readonly findings: readonly Finding[];
  readonly measures: Measures;
  readonly baseline: readonly Operation[];
}

/** By phase. */
export function tally({ operations, findings, measures, baseline }: Played): Tallies {
  const phases = [...new Set(operations.map(({ phase }) => phase))];
  const within = (phase: string) => ({
    operations: operations.filter((operation) => operation.phase === phase),
    findings: findings.filter(({ operation }) => operation.phase === phase),
    measures: {
      fromAfar: measures.fromAfar.filter(({ read }) => read.phase === phase),
      homecomings: measures.homecomings.filter(({ write }) => write.phase === phase),
    },
    baseline: baseline.filter((operation) => operation.phase === phase),
  });
  return new Map(phases.map((phase) => [phase, tallyOf(within(phase))]));
}

/** Of several runs, phase by phase. */
export function addUp(runs: readonly Tallies[]): Tallies {
  const phases = [...new Set(runs.flatMap((run) => [...run.keys()]))].sort();
  return new Map(phases.map((phase) => [phase, sum(runs.flatMap((run) => run.get(phase) ?? []))]));
}

/** Of all phases together. */
export function total(tallies: Tallies): Tally {
  return sum([...tallies.values()]);
}

function tallyOf({ operations, findings, measures, baseline }: Played): Tally {
  const { fromAfar, homecomings } = measures;
  const served = operations.filter(({ status }) => status === 200);
  const count = (kind: Finding["kind"], declared = false) =>
    findings.filter((finding) => finding.kind === kind && (finding.pardon !== null) === declared).length;
  return {
    reads: served.filter(({ kind }) => kind === "read").length,
    writes: served.filter(({ kind }) => kind === "write").length,
    failed: operations.filter(({ status, cut }) => status !== 200 && cut === null).length,
    stale: count("stale"),
    staleDeclared: count("stale", true),
    notMonotonic: count("not-monotonic"),
    notMonotonicDeclared: count("not-monotonic", true),
    executedTwice: count("executed-twice"),
    errorsAfterCommit: count("error-after-commit"),
    headsUnrecorded: count("head-unrecorded"),
    readsFromAfar: fromAfar.length,
    byWriter: fromAfar.filter(({ byWriter }) => byWriter).length,
    bound: fromAfar.filter(({ bound }) => bound).length,
    homeBehind: fromAfar.filter(({ homeBehind }) => homeBehind).length,
    inWindow: fromAfar.filter(({ inWindow }) => inWindow).length,
    homecomingsMs: homecomings.map(({ afterMs }) => afterMs),
    readMs: latencies(operations, "read"),
    writeMs: latencies(operations, "write"),
    baselineReadMs: latencies(baseline, "read"),
    baselineWriteMs: latencies(baseline, "write"),
  };
}

/** To the head. An upload that is slow on purpose says nothing of the edge. */
function latencies(operations: readonly Operation[], wanted: Operation["kind"]): number[] {
  return operations
    .filter(({ kind, status, uploadMs }) => kind === wanted && status === 200 && uploadMs === 0)
    .map(({ headMs, sentMs }) => (headMs ?? sentMs) - sentMs);
}

function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce((one, other) => {
    const keys = Object.keys(one) as (keyof Tally)[];
    return Object.fromEntries(keys.map((key) => [key, plus(one[key], other[key])])) as unknown as Tally;
  }, EMPTY);
}

function plus(one: number | number[], other: number | number[]): number | number[] {
  return typeof one === "number" ? one + Number(other) : one.concat(other);
}

const EMPTY: Tally = tallyOf({
  operations: [],
  findings: [],
  measures: { fromAfar: [], homecomings: [] },
  baseline: [],
});
