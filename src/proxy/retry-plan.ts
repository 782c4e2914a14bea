import type { Fault } from "../errors.ts";
import type { AttemptResult } from "./forward.ts";

/** Faults that another endpoint may not have. */
const WORTH_RETRYING: ReadonlySet<Fault> = new Set([
  "connect_failed",
  "reset",
  "bad_response",
  "response_timeout",
]);

/** More than these many endpoints of one region are not asked for one request. */
export const ENDPOINTS_PER_REGION = 2;

/** Refused connections are no attempts, but they end somewhere too. */
const MAX_REFUSALS = 4;

export interface Repeatable {
  /** The method asks for no change, and no rule calls it a write. */
  readonly safe: boolean;
  readonly bodyStarted: boolean;
}

/**
 * Whether a failed attempt may be made again, budget aside: when nothing was sent, any method may; else a safe one
 * without a body. A write that may have reached a region is never sent twice (traefik#8990).
 */
export function mayRepeat(request: Repeatable, { fault, sent, status }: AttemptResult): boolean {
  if (fault === null || status !== null || !WORTH_RETRYING.has(fault)) return false;
  return !request.bodyStarted && (!sent || request.safe);
}

/**
 * Whether attempts are left. A refused connection costs no time and no work, so it does not count as one of the
 * operator's `attempts`: a region of two endpoints that has died whole must not use them up.
 */
export function attemptsLeft(made: readonly AttemptResult[], attempts: number): boolean {
  const refused = made.filter(
    (attempt) => attempt.fault === "connect_failed" && attempt.cause?.startsWith("ECONNREFUSED"),
  );
  return made.length - refused.length < attempts && refused.length <= MAX_REFUSALS;
}
