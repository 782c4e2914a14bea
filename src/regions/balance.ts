import type { Health } from "../routing/region.ts";

/** What balancing inside a region looks at. */
export interface Candidate {
  readonly health: Health;
  readonly draining: boolean;
  readonly requestsInFlight: number;
}

/**
 * The endpoint for one request: two drawn by chance, the one with fewer requests in flight (the power of
 * two choices, as in tower). Drawn from the best class that is not empty: up before degraded, staying
 * before draining. When none is in service the first request to the region goes to any of them as a last
 * resort, but not a second: `null` then, and its next attempt is better made in another region.
 *
 * @param chance uniform in [0, 1)
 */
export function balance<T extends Candidate>(
  candidates: readonly T[],
  avoid: { has(candidate: T): boolean },
  chance: () => number,
): T | null {
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) return avoid.has(only) ? null : only;
  const left = candidates.filter((candidate) => !avoid.has(candidate));
  const best = Math.min(...left.map(preference));
  const isFirst = left.length === candidates.length;
  if (best === OUT_OF_SERVICE && !isFirst) return null;
  const drawn = left.filter((candidate) => preference(candidate) === best);
  return leastLoaded(drawn, chance);
}

const OUT_OF_SERVICE = 4;

/** Less is better. A request meets a draining endpoint only when no other of its region serves. */
function preference({ health, draining }: Candidate): number {
  if (health !== "up" && health !== "degraded") return OUT_OF_SERVICE;
  return (health === "degraded" ? 1 : 0) + (draining ? 2 : 0);
}

function leastLoaded<T extends Candidate>(drawn: readonly T[], chance: () => number): T | null {
  if (drawn.length < 2) return drawn[0] ?? null;
  const first = Math.floor(chance() * drawn.length);
  // The second draw is among the others: it skips the first one's place.
  const second = (first + 1 + Math.floor(chance() * (drawn.length - 1))) % drawn.length;
  const [a, b] = [drawn[first], drawn[second]];
  if (a === undefined || b === undefined) return a ?? null;
  return b.requestsInFlight < a.requestsInFlight ? b : a;
}
