import type { DrillKind } from "../routing/drill.ts";
import { leastApplied, type Position } from "../routing/position.ts";
import type { Admission, Health } from "../routing/region.ts";
import type { EndpointState } from "./endpoint.ts";

/** What the operator has said of a region; the part of it that the table follows. */
export interface OperatorAdmission {
  readonly state: Admission;
  readonly reason: string;
  readonly by: string;
  /** When a drain becomes a close, by the wall clock that all edges share; null for never. */
  readonly deadlineWallMs: number | null;
  /** The maintenance window that it is for, which is over at its time whether or not anybody can say so. */
  readonly window?: { readonly endWallMs: number } | undefined;
}

/** Where no operator has spoken; a region that no longer asks for a drain is open by its own word. */
const UNSAID: OperatorAdmission = {
  state: "open",
  reason: "nothing asks for a drain",
  by: "region",
  deadlineWallMs: null,
};

/** A drill that is on. */
export interface RehearsedLoss {
  readonly region: string;
  readonly kind: DrillKind;
  readonly reason: string;
}

/** The admission in force, and whose word it is. */
export interface EffectiveAdmission {
  readonly state: Admission;
  readonly by: string;
  readonly why: string;
}

/** A region is as well as its best endpoint; one it knows nothing of is better than one that is down. */
export function regionHealth(endpoints: readonly { readonly health: Health }[]): Health {
  const has = (health: Health): boolean => endpoints.some((endpoint) => endpoint.health === health);
  return (["up", "degraded", "unknown"] as const).find(has) ?? "down";
}

/** How near its nearest endpoint in service is; while none is, the last that was known of any. */
export function regionLatency(endpoints: readonly EndpointState[]): number | null {
  const serving = endpoints.filter((endpoint) => endpoint.serving);
  const known = (serving.length > 0 ? serving : endpoints)
    .map(({ latencyMs }) => latencyMs)
    .filter((latencyMs) => latencyMs !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/**
 * The most any endpoint in service lags: a reader may meet each. One that does not say makes it unknown. While
 * none is in service it is that of all, so that a region which reports its lag does not seem to have stopped
 * when it is down: whether others may hide theirs depends on it.
 */
export function regionLag(endpoints: readonly EndpointState[]): number | null {
  const serving = endpoints.filter((endpoint) => endpoint.serving);
  const lags = (serving.length > 0 ? serving : endpoints).map(({ lagMs }) => lagMs);
  const known = lags.filter((lagMs) => lagMs !== null);
  return known.length === 0 || known.length < lags.length ? null : Math.max(...known);
}

/** Up to where the write log is applied wherever a reader may be served; null when a node in service does not say. */
export function regionApplied(endpoints: readonly EndpointState[]): Position | null {
  return leastApplied(endpoints.filter(({ serving }) => serving).map(({ applied }) => applied));
}

/** Whether it takes writes, by its own word; null when its endpoints in service do not say, or do not agree. */
export function regionWriter(endpoints: readonly EndpointState[]): boolean | null {
  const said = new Set(endpoints.filter(({ serving }) => serving).map(({ reported }) => reported.writer));
  const [only] = said;
  return said.size === 1 ? (only ?? null) : null;
}

/**
 * The operator's word, or the region's own. A drain whose deadline has passed is a close; one whose window is over is
 * none. A region whose
 * every endpoint in service asks to be drained is draining, but cannot open what an operator has closed.
 */
export function effectiveAdmission(
  operator: OperatorAdmission | undefined,
  endpoints: readonly EndpointState[],
  wallMs: number,
): EffectiveAdmission {
  const { state, by, why, deadlineWallMs } = saidOf(operator, wallMs);
  const isOver = state === "draining" && deadlineWallMs !== null && wallMs >= deadlineWallMs;
  if (isOver) return { state: "closed", by, why: `${why} (the drain's deadline has passed)` };
  const serving = endpoints.filter((endpoint) => endpoint.serving);
  const isLeaving = serving.length > 0 && serving.every((endpoint) => endpoint.draining);
  if (state === "open" && isLeaving) return { state: "draining", by: "region", why: "its probes ask for it" };
  return { state, by, why };
}

function saidOf(operator: OperatorAdmission | undefined, wallMs: number) {
  const { state, by, reason, deadlineWallMs, window } = operator ?? UNSAID;
  const isPast = state !== "open" && window !== undefined && wallMs >= window.endWallMs;
  if (isPast)
    return { state: "open", by, why: `${reason} (its window is over)`, deadlineWallMs: null } as const;
  return { state, by, why: reason, deadlineWallMs };
}

/** Over the operator's word, and never stored as one: a drill that drains a region takes its traffic for a while. */
export function duringDrill(
  admission: EffectiveAdmission,
  drill: Omit<RehearsedLoss, "region"> | null,
): EffectiveAdmission {
  if (drill?.kind !== "drain" || admission.state === "closed") return admission;
  return { state: "closed", by: "drill", why: drill.reason };
}
