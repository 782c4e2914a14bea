import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";
import { takesWrites } from "./writers.ts";

/** Whether a region lags too much for identified readers. One that hides its lag while others report theirs is not trusted to be fresh. */
export function lags(region: Region, view: View, rules: Rules): boolean {
  if (takesWrites(region, view, rules)) return false;
  if (region.lagMs !== null) return region.lagMs > rules.maxLagMs;
  return view.regions.some((other) => other.lagMs !== null && !takesWrites(other, view, rules));
}

/**
 * How long a user stays with the writer after a write, in milliseconds: the grace window, or twice the lag of the
 * slowest replica that may serve the user afterwards, if that is longer.
 */
export function pinWindowMs(graceWindowMs: number, view: View, rules: Rules): number {
  const eligible = view.regions.filter(
    (region) => !takesWrites(region, view, rules) && !lags(region, view, rules),
  );
  return Math.max(graceWindowMs, ...eligible.map(({ lagMs }) => 2 * (lagMs ?? 0)));
}
