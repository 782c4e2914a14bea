import type { DrillKind } from "../routing/drill.ts";
import { LEASE_MS } from "./move.ts";

/**
 * What became of a drill: it went on to its end; it hurt too much; somebody stopped it; or nobody supervised it any more.
 */
export type DrillResult = "passed" | "aborted" | "stopped" | "lost";

export interface DrillEnd {
  readonly result: DrillResult;
  readonly who: string;
  readonly why: string;
  readonly atMs: number;
}

/** A rehearsal of the loss of a region, as all edges know of it. Times are those of the shared clock. */
export interface Drill {
  readonly id: string;
  readonly region: string;
  readonly kind: DrillKind;
  readonly who: string;
  readonly reason: string;
  /** Whether something spoke against it. */
  readonly forced: boolean;
  /** The edge that supervises it, as the shared hash calls it. */
  readonly by: string;
  /** Until when it does; from then on the drill is over, unless it has said that it goes on. */
  readonly leaseUntilMs: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly abortAbove: { readonly errorRatio: number };
  /** Where writes went when it began. */
  readonly writeRegion: string | null;
  readonly epoch: number;
  /** The window of the calendar that it is for; null when somebody asked for it. */
  readonly window: string | null;
  /** Set when it is over; then only its report is missing. */
  readonly end: DrillEnd | null;
}

/** What edges agree on about drills. */
export interface DrillState {
  /** The one that runs, or whose report is not written yet. */
  readonly drill: Drill | null;
  /** Of each line of the calendar the window that was last begun, so that none is begun twice. */
  readonly windows: Readonly<Record<string, string>>;
}

/** The state after a change, or null when it may not be made. By the shared clock. */
export type DrillTransition = (state: DrillState, nowMs: number) => DrillState | null;

/** A line of the calendar, and its window. */
export interface DrillWindow {
  readonly line: string;
  readonly id: string;
}

/** Whether the edges are to behave as if the region were lost. */
export function isInForce({ end, untilMs, leaseUntilMs }: Drill, nowMs: number): boolean {
  return end === null && nowMs < untilMs && nowMs < leaseUntilMs;
}

/** Begins one, unless another runs or its window has been begun before. */
export function begunDrill(drill: Drill, lastsMs: number, window: DrillWindow | null): DrillTransition {
  return (state, nowMs) => {
    if (state.drill !== null || (window !== null && state.windows[window.line] === window.id)) return null;
    const windows = window === null ? state.windows : { ...state.windows, [window.line]: window.id };
    const times = { sinceMs: nowMs, untilMs: nowMs + lastsMs, leaseUntilMs: nowMs + LEASE_MS };
    return { drill: { ...drill, ...times, window: window?.id ?? null }, windows };
  };
}

/** Whoever supervises it goes on doing so. */
export function supervised(id: string, by: string): DrillTransition {
  return ifDrill(id, (drill, nowMs) =>
    drill.by === by ? { ...drill, leaseUntilMs: nowMs + LEASE_MS } : null,
  );
}

/** It is over. */
export function endedDrill(id: string, end: Omit<DrillEnd, "atMs">): DrillTransition {
  return ifDrill(id, (drill, nowMs) => {
    if (drill.end !== null) return null;
    // Whoever supervised it gets the time to write its report.
    return { ...drill, end: { ...end, atMs: nowMs }, leaseUntilMs: nowMs + LEASE_MS };
  });
}

/** Nobody supervises it any more: it is over, and `by` writes its report. */
export function takenOverDrill(id: string, by: string): DrillTransition {
  return ifDrill(id, (drill, nowMs) => {
    if (drill.leaseUntilMs > nowMs) return null;
    return { ...drill, by, leaseUntilMs: nowMs + LEASE_MS, end: drill.end ?? unsupervised(drill) };
  });
}

function unsupervised({ by, untilMs, leaseUntilMs, who }: Drill): DrillEnd {
  if (untilMs <= leaseUntilMs) return { result: "passed", who, why: "its time was over", atMs: untilMs };
  const why = `the edge ${edgeNameOf(by)} was not heard of any more`;
  return { result: "lost", who: "meridian", why, atMs: leaseUntilMs };
}

/** The id of an edge, of its name in the shared hash. */
export function edgeNameOf(key: string): string {
  return key.slice(0, key.lastIndexOf(":"));
}

/** Its supervisor leaves: it is over, and anybody may write its report at once. */
export function abandonedDrill(id: string, by: string): DrillTransition {
  return ifDrill(id, (drill, nowMs) => {
    if (drill.by !== by) return null;
    const lost: DrillEnd = { result: "lost", who: "meridian", why: "its edge was stopped", atMs: nowMs };
    return { ...drill, leaseUntilMs: nowMs, end: drill.end ?? lost };
  });
}

/** Its report is written. */
export function settledDrill(id: string, by: string): DrillTransition {
  return (state) => (state.drill?.id === id && state.drill.by === by ? { ...state, drill: null } : null);
}

function ifDrill(id: string, change: (drill: Drill, nowMs: number) => Drill | null): DrillTransition {
  return (state, nowMs) => {
    const drill = state.drill?.id === id ? change(state.drill, nowMs) : null;
    return drill === null ? null : { ...state, drill };
  };
}
