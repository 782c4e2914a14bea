import type { DrillKind } from "../routing/drill.ts";
import type { Drill, DrillResult } from "./drill.ts";
import type { Measures } from "./drill-tally.ts";

/** What an edge says of a drill to the others. */
export interface EdgeDrill extends Measures {
  readonly id: string;
  /** Whether it has ended it. */
  readonly over: boolean;
}

/** What one edge has measured. */
export interface MeasuredEdge extends Measures {
  readonly edge: string;
}

/** Sums of what all edges have measured. */
export interface DrillTotals {
  readonly requests: number;
  readonly lost: number;
  readonly retried: number;
  readonly sessionsMoved: number;
  readonly pinsMoved: number;
  /** The share of requests that were lost. */
  readonly errorRatio: number;
}

/** What a drill has shown. Times are milliseconds since its beginning. */
export interface DrillReport extends DrillTotals {
  readonly id: string;
  readonly region: string;
  readonly kind: DrillKind;
  readonly who: string;
  readonly reason: string;
  readonly scheduled: boolean;
  readonly forced: boolean;
  readonly abortAbove: { readonly errorRatio: number };
  readonly startedAt: string;
  readonly endedAt: string;
  readonly lastedMs: number;
  readonly result: DrillResult;
  /** Why it ended, and who ended it. */
  readonly why: string;
  readonly endedBy: string;
  /** When the first and the last edge knew that the region was lost; null: one never did. */
  readonly detectMs: { readonly first: number | null; readonly last: number | null };
  /** When the last edge asked the region for the last time. */
  readonly shiftMs: number | null;
  /** When clients felt nothing of it any more; 0: they never did; null: they did to the end. */
  readonly recoveryMs: number | null;
  /** When the first write was answered by another region, if it took the writes. */
  readonly firstWriteMs: number | null;
  readonly writes: {
    readonly before: { readonly region: string | null; readonly epoch: number };
    readonly after: { readonly region: string | null; readonly epoch: number };
  };
  readonly edges: readonly MeasuredEdge[];
}

/** Fewer requests prove nothing. */
const LEAST_REQUESTS = 50;

/** Where writes go now. */
export interface WritesNow {
  readonly region: string | null;
  readonly epoch: number;
}

export function totalsOf(edges: readonly Measures[]): DrillTotals {
  const sum = (of: (measures: Measures) => number) => edges.reduce((total, each) => total + of(each), 0);
  const [requests, lost] = [sum((each) => each.requests), sum((each) => each.lost)];
  return {
    requests,
    lost,
    retried: sum((each) => each.retried),
    sessionsMoved: sum((each) => each.sessionsMoved),
    pinsMoved: sum((each) => each.pinsMoved),
    errorRatio: requests === 0 ? 0 : lost / requests,
  };
}

/** Why it hurts too much to go on; null when it does not, or too little is known. */
export function whyAbort(totals: DrillTotals, { errorRatio }: Drill["abortAbove"]): string | null {
  const { requests, lost } = totals;
  if (requests < LEAST_REQUESTS || totals.errorRatio <= errorRatio) return null;
  return `${lost} of ${requests} requests failed, more than ${percent(errorRatio)}`;
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(3))} %`;
}

/** The report of a drill that is over. */
export function reportOfDrill(drill: Drill, edges: readonly MeasuredEdge[], after: WritesNow): DrillReport {
  const { id, region, kind, who, reason, forced, abortAbove, sinceMs, writeRegion, epoch } = drill;
  const end = drill.end ?? { result: "lost", who: "meridian", why: "nobody knows", atMs: drill.leaseUntilMs };
  return {
    ...{ id, region, kind, who, reason, forced, abortAbove, scheduled: drill.window !== null },
    startedAt: new Date(sinceMs).toISOString(),
    endedAt: new Date(end.atMs).toISOString(),
    lastedMs: Math.round(end.atMs - sinceMs),
    ...{ result: end.result, why: end.why, endedBy: end.who },
    detectMs: detectedOf(edges),
    shiftMs: latest(edges.map(({ shiftMs }) => shiftMs)),
    recoveryMs: recoveryOf(edges),
    firstWriteMs: writeRegion === region ? earliest(edges.map(({ firstWriteMs }) => firstWriteMs)) : null,
    writes: { before: { region: writeRegion, epoch }, after },
    ...totalsOf(edges),
    edges,
  };
}

/** An edge that came late is none of those that could detect it. */
function detectedOf(edges: readonly Measures[]): DrillReport["detectMs"] {
  const times = edges.filter(({ shiftMs }) => shiftMs !== null).map(({ detectMs }) => detectMs);
  return { first: earliest(times), last: times.includes(null) ? null : latest(times) };
}

function recoveryOf(edges: readonly Measures[]): number | null {
  const hurt = edges.filter(({ troubleMs }) => troubleMs !== null).map(({ recoveryMs }) => recoveryMs);
  if (hurt.includes(null)) return null;
  return latest(hurt) ?? 0;
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function latest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** Null when it is not ours. */
export function readReport(text: string): DrillReport | null {
  try {
    const given = JSON.parse(text) as Partial<DrillReport>;
    const isOurs =
      typeof given.id === "string" && typeof given.region === "string" && Array.isArray(given.edges);
    return isOurs ? (given as DrillReport) : null;
  } catch {
    return null;
  }
}
