import { overload, type Traffic } from "../routing/capacity.ts";
import { laterPosition } from "../routing/position.ts";
import type { Region, View } from "../routing/region.ts";

/*
 * What speaks for and against a region as the next write region, from what regions say of themselves. Pure.
 */

/** What speaks against making this region the write region; null when nothing does. `force` leaves out what is only unwise. */
export function objectionToMove(
  region: string,
  force: boolean,
  { view, maxLagMs, traffic }: { readonly view: View; readonly maxLagMs: number; readonly traffic: Traffic },
): string | null {
  const target = view.byId.get(region);
  if (target === undefined) return `no region is called ${region}`;
  if (view.writeRegion === null) return "with several writers there is no write region to move";
  if (view.writeRegion === region) return `${region} is the write region already`;
  if (view.moving) return "a move is under way; wait for its end";
  return force ? null : (whatIsUnwise(target, maxLagMs) ?? overload(view.writeRegion, region, traffic));
}

function whatIsUnwise(target: Region, maxLagMs: number): string | null {
  const { id, admission, health, lagMs, applied } = target;
  if (admission !== "open") return `${id} is ${admission}`;
  if (health !== "up") return `${id} is ${health}`;
  if (applied === null)
    return `${id} does not say how far it has applied the write log, so nobody knows what would be lost`;
  if (lagMs !== null && lagMs > maxLagMs)
    return `${id} lags ${Math.round(lagMs)} ms, more than health.maxLag; writes would wait too long for it`;
  return null;
}

/** Whether nothing of the old region is missing in the new one. One that speaks of a newer epoch has been promoted already. */
export function hasAllOf(target: Region | undefined, old: Region | undefined): boolean {
  if (!target?.applied || !old?.applied) return false;
  if (target.applied.epoch > old.applied.epoch) return true;
  return target.applied.epoch === old.applied.epoch && target.applied.at >= old.applied.at;
}

/**
 * Where writes may go, after the hook, by what the two regions say now: `new` when the new one takes them, `old` when only
 * the old one does, `neither` when both deny it, or nobody is heard.
 */
export type Outcome = "new" | "old" | "neither";

/** What one of the two regions says; `heard` is whether it has just said it. */
export interface Heard {
  readonly region: Region | undefined;
  readonly heard: boolean;
}

/**
 * What has come of a promotion. A region that says nothing of writers is believed where the hook was: in the new one if it has
 * done its work, else in the old one. One that takes writes in the epoch of the move has been promoted, whatever the hook said.
 */
export function outcomeOf(
  target: Heard,
  old: Heard,
  {
    epoch,
    hookDone,
  }: {
    readonly epoch: number;
    readonly hookDone: boolean;
  },
): Outcome {
  const claim = target.heard ? (target.region?.writer ?? null) : false;
  const targetEpoch = target.region?.applied?.epoch ?? null;
  if (claim === true && (hookDone || (targetEpoch !== null && targetEpoch >= epoch))) return "new";
  const denies = old.heard && old.region?.writer === false;
  if ((claim === null && hookDone) || (claim === true && denies)) return "new";
  const keeps = old.heard && old.region?.writer !== false;
  return keeps && !hookDone ? "old" : "neither";
}

/** The old region takes writes, as far as it says; or it says nothing, and nothing has changed, or it was given up anyway. */
export function mayGoBack(old: Heard, target: Heard, lossy: boolean): boolean {
  if (old.heard) return old.region?.writer !== false;
  return lossy || (target.heard && target.region?.writer === false);
}

/** Whoever may be the next write region, the best first: those that have most of the log, and of these the first in order. */
export function successors(candidates: readonly Region[], order: readonly string[]): readonly Region[] {
  const place = (id: string) => (order.includes(id) ? order.indexOf(id) : order.length);
  return candidates
    .filter(({ admission, health, fenced }) => admission !== "closed" && health === "up" && !fenced)
    .sort((a, b) => byClaim(a, b) || byLog(a, b) || place(a.id) - place(b.id));
}

/** One that takes writes already, because its database has been promoted, comes first. */
function byClaim(a: Region, b: Region): number {
  return Number(b.writer === true) - Number(a.writer === true);
}

/** The one that has applied more comes first; one that does not say comes last. */
function byLog({ applied: a }: Region, { applied: b }: Region): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  if (a.epoch === b.epoch && a.at === b.at) return 0;
  return laterPosition(a, b) === a ? -1 : 1;
}
