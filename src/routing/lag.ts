import { oncePerView } from "./once-per-view.ts";
import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";
import { isDisowned, takesWrites } from "./writers.ts";

/** Whether a region lags too much for identified readers. One that hides its lag while others report theirs is not trusted to be fresh. */
export function lags(region: Region, view: View, rules: Rules): boolean {
  if (hasEveryWrite(region, view, rules)) return false;
  if (region.lagMs !== null) return region.lagMs > rules.maxLagMs;
  return reporters(view).some((other) => !takesWrites(other, view, rules));
}

/** The regions that say how far they lag. */
const reporters = oncePerView(({ regions }) => regions.filter(({ lagMs }) => lagMs !== null));

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

/**
 * Whether a session that came to this region so long ago may see an older state there than it has seen in the region
 * that it came from: a region has all that was written its lag ago, so after its lag it has all that the other had.
 */
export function mayGoBack(region: Region, sinceMs: number, view: View, rules: Rules): boolean {
  if (rules.monotonicReads === null || hasEveryWrite(region, view, rules)) return false;
  const { unknownLagMs, marginMs } = rules.monotonicReads;
  return sinceMs < (region.lagMs ?? unknownLagMs) + marginMs;
}

/** A write region that says it is the writer no longer is a replica of one that is not known here. */
function hasEveryWrite(region: Region, view: View, rules: Rules): boolean {
  return takesWrites(region, view, rules) && !isDisowned(region, view);
}
