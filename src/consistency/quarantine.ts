import type { Return } from "./store.ts";

/** Edges do not find Redis again at the same moment: a reconnection's back-off, its time-out, and room. */
const RETURN_SPREAD_MS = 2_500;

/** How long pins last; see `WriteTimes`. */
export interface PinTimes {
  readonly intentTtlMs: number;
  readonly graceWindowMs: number;
}

/**
 * For how long "free" means nothing once the shared store is (back) up. After an outage another edge may come back
 * later than this one, with pins that were never recorded. A store younger than an intent may have forgotten one.
 */
export function quarantineMs({ memoryMs, afterOutage }: Return, times: PinTimes): number {
  const laterEdgesMs = afterOutage ? Math.max(times.graceWindowMs, RETURN_SPREAD_MS) : 0;
  return Math.max(laterEdgesMs, times.intentTtlMs - memoryMs);
}
