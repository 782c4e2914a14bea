/** A region that comes back starts with this share of its traffic (Envoy's and HAProxy's figure). */
const COLD = 0.1;

/** Warmth moves in twentieths, so that a view changes a score of times while a region warms up, not at every glance. */
const STEPS = 20;

/**
 * Share of its traffic a region takes, 0.1 to 1, growing linearly over `slowStartMs` from `sinceMs`, the
 * monotonic time at which it came back; null when it did not come back from anything.
 */
export function warmth(sinceMs: number | null, nowMs: number, slowStartMs: number): number {
  if (sinceMs === null) return 1;
  const elapsedMs = Math.max(nowMs - sinceMs, 0);
  if (elapsedMs >= slowStartMs) return 1;
  const linear = COLD + (1 - COLD) * (elapsedMs / slowStartMs);
  return Math.floor(linear * STEPS) / STEPS;
}
