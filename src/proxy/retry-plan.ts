import { FAULTS } from "../errors.ts";
import type { Decision } from "../routing/decision.ts";
import { isSafe } from "../routing/intent.ts";
import type { View } from "../routing/region.ts";
import type { AttemptResult, Carrier } from "./carrier.ts";
import type { Exchange } from "./exchange.ts";

/** More than these many endpoints of one region are not asked for one request. */
export const ENDPOINTS_PER_REGION = 2;

/** Refused connections are no attempts, but they end somewhere too. */
const MAX_REFUSALS = 4;

/** Asking twice does no harm: a safe method that no rule calls a write. */
export function isRepeatable({ method, writes }: Exchange): boolean {
  return isSafe(method) && !writes;
}

/**
 * Whether a failed attempt may be made again, budget aside: when nothing was sent, any method may; else a safe one
 * without a body. A write that may have reached a region is never sent twice (traefik#8990).
 */
export function mayRepeat(
  exchange: Exchange,
  carrier: Carrier,
  { fault, sent, status }: AttemptResult,
): boolean {
  // Whoever answers that it is not the writer has done nothing.
  if (fault === "writer_moved") return !carrier.gone && (!carrier.bodyStarted || carrier.bodyKept);
  // A write, and who is pinned, waits for its own region; nobody was asked, so any other may be.
  if (fault === "region_busy" && !isRepeatable(exchange)) return false;
  if (fault === null || status !== null || !FAULTS[fault].retryable) return false;
  return !carrier.gone && !carrier.bodyStarted && (!sent || isRepeatable(exchange));
}

/**
 * Whether attempts are left. A refused connection costs no time and no work, so it does not count as one of the
 * operator's `attempts`: a region of two endpoints that has died whole must not use them up. Nor does a stale one, or one
 * that a busy region has not taken.
 */
export function attemptsLeft({ attempts, settings }: Exchange): boolean {
  const refused = attempts.filter(({ result }) => result.cause?.startsWith("ECONNREFUSED")).length;
  const free = attempts.filter(({ result }) => result.stale || result.fault === "region_busy").length;
  return attempts.length - refused - free < settings.config.proxy.attempts && refused <= MAX_REFUSALS;
}

/**
 * By which view an attempt is made again: that which the request began with, unless the write region has moved since, or
 * is moving. An attempt may have taken so long that what its view says of writes, and of who has applied them, is no
 * longer so.
 */
export function viewOfRetry(before: View, now: View): View {
  return before.epoch === now.epoch && before.moving === now.moving ? before : now;
}

/** A busy region is no reason to promise less, nor to ask one that is down. */
export function promisesLess(next: Decision, before: Decision): boolean {
  if (next.kind === "refused" || before.kind === "refused") return false;
  return next.consistency !== before.consistency || next.reason === "last-resort";
}
