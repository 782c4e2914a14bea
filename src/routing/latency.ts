/** How far away something is, smoothed. */
export interface LatencyEstimate {
  readonly latencyMs: number;
  /** Monotonic time of the last sample. */
  readonly atMs: number;
  /** The last samples, at most {@link RECENT}, newest last. */
  readonly recent: readonly number[];
}

/** After this long an estimate is half old samples and half new ones. */
const HALF_LIFE_MS = 10_000;

/** An estimate this old says nothing about now; the next sample starts afresh. */
const FORGOTTEN_MS = 3 * HALF_LIFE_MS;

const RECENT = 3;

/**
 * The estimate after one more round trip: an average that forgets by elapsed time, not by number of
 * samples, so a changing probe interval does not change its meaning (as in tower's peak EWMA, with the
 * clock an argument).
 *
 * What is averaged is the median of the last three samples: one garbage collection on either side
 * cannot move traffic. Until three are known the least one is the estimate, because what disturbs a
 * first round trip (cold caches) only ever makes it longer. A failed probe has no round trip: do not
 * call this for it, or a fast refusal would look near.
 */
export function blend(estimate: LatencyEstimate | null, sampleMs: number, nowMs: number): LatencyEstimate {
  const elapsedMs = estimate === null ? 0 : Math.max(nowMs - estimate.atMs, 0);
  if (estimate === null || elapsedMs > FORGOTTEN_MS) {
    return { latencyMs: sampleMs, atMs: nowMs, recent: [sampleMs] };
  }
  const recent = [...estimate.recent, sampleMs].slice(-RECENT);
  if (recent.length < RECENT) return { latencyMs: Math.min(...recent), atMs: nowMs, recent };
  const typicalMs = median(recent);
  if (estimate.recent.length < RECENT) return { latencyMs: typicalMs, atMs: nowMs, recent };
  const kept = 2 ** (-elapsedMs / HALF_LIFE_MS);
  return { latencyMs: estimate.latencyMs * kept + typicalMs * (1 - kept), atMs: nowMs, recent };
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? 0;
}
