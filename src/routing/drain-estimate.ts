/** Who is still at a region and has to leave it before it is empty; null where it is not counted. */
export interface Populations {
  readonly sessions: number | null;
  /** Users who are pinned to it. */
  readonly pins: number;
  readonly tunnels: number;
  readonly streams: number;
}

/** Who was there at one time. */
export interface Sample {
  /** Monotonic. */
  readonly atMs: number;
  readonly there: Populations;
}

/** Fewer than one is none. */
const NOBODY = 0.5;

/** What has been watched for less says nothing of how it goes on. */
const LEAST_WATCHED_MS = 10_000;

/**
 * In how long a draining region is empty, in milliseconds, by how its populations have shrunk between the first sample and
 * the last: of each the same share leaves in each span of time, as when everybody goes at a time of his own. Then half of
 * them are gone soon, and the last late. It is never later than the deadline, which is `leftMs` away and empties it. Null
 * when nothing can be said: no deadline is set, and of some who are there it is not known yet, or not so, that they get
 * fewer.
 */
export function drainedInMs(samples: readonly Sample[], leftMs: number | null): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return leftMs;
  const lengths = KINDS.map((kind) => emptyInMs(first.there[kind], last.there[kind], last.atMs - first.atMs));
  const longestMs = Math.max(...lengths);
  if (Number.isFinite(longestMs)) return leftMs === null ? longestMs : Math.min(longestMs, leftMs);
  return leftMs;
}

const KINDS = ["sessions", "pins", "tunnels", "streams"] as const;

/** Infinite for those that do not get fewer. */
function emptyInMs(before: number | null, now: number | null, duringMs: number): number {
  if (now === null || now === 0) return 0;
  if (before === null || before <= now || duringMs < LEAST_WATCHED_MS) return Number.POSITIVE_INFINITY;
  return (Math.log(now / NOBODY) / Math.log(before / now)) * duringMs;
}
