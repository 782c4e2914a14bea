/** How much nearer a region must be, and for how long, before it overtakes another. */
export interface NearnessRules {
  readonly windowMs: number;
  /** Of the latency of the region that is overtaken, 0 to 100. */
  readonly percent: number;
  readonly dwellMs: number;
}

/** One region's smoothed round trip; null when there is none. */
export interface Measured {
  readonly id: string;
  readonly latencyMs: number | null;
}

/** The order in force, and what may change it. */
export interface RankState {
  /** Nearest first. */
  readonly order: readonly string[];
  /**
   * Monotonic times since when a region has been nearer than one that stood before it at the last
   * ranking. Keyed by {@link pair}, so a pair that has changed places starts anew.
   */
  readonly outOfOrderSince: ReadonlyMap<string, number>;
}

/** The first ranking: by latency, the unmeasured last, ties as given. Nothing to steady yet. */
export function rank(measured: readonly Measured[]): RankState {
  const sorted = measured.toSorted((a, b) => distance(a) - distance(b) || 0);
  return { order: sorted.map(({ id }) => id), outOfOrderSince: new Map() };
}

/**
 * The ranking after new measurements. A region overtakes another once it has been nearer, by more than
 * the window or the percentage, whichever is more, for the whole dwell; then it moves directly before
 * it. So equal regions do not trade places, a jittering latency moves nobody, and a region that has
 * lost its place at the front does not get it back within one dwell. (The window is Azure Front Door's
 * latency sensitivity; the dwell is ours.)
 *
 * Regions that are new go last and earn their place; those no longer measured vanish.
 */
export function rerank(
  state: RankState,
  measured: readonly Measured[],
  rules: NearnessRules,
  nowMs: number,
): RankState {
  if (state.order.length === 0) return rank(measured);
  const byId = new Map(measured.map((one) => [one.id, one]));
  const known = new Set(state.order);
  const standing = [...state.order, ...measured.map(({ id }) => id).filter((id) => !known.has(id))]
    .map((id) => byId.get(id))
    .filter((one) => one !== undefined);
  const since = outOfOrder(standing, state.outOfOrderSince, rules, nowMs);
  const order = overtake(standing, (front, behind) => {
    const sinceMs = since.get(pair(front.id, behind.id));
    return sinceMs !== undefined && nowMs - sinceMs >= rules.dwellMs;
  });
  return { order: order.map(({ id }) => id), outOfOrderSince: since };
}

/** Unmeasured is not near. */
function distance({ latencyMs }: Measured): number {
  return latencyMs ?? Number.POSITIVE_INFINITY;
}

function pair(front: string, behind: string): string {
  return `${front} ${behind}`;
}

function isClearlyNearer(behind: Measured, front: Measured, rules: NearnessRules): boolean {
  if (behind.latencyMs === null) return false;
  if (front.latencyMs === null) return true;
  const marginMs = Math.max(rules.windowMs, (rules.percent / 100) * front.latencyMs);
  return front.latencyMs - behind.latencyMs > marginMs;
}

/** Every pair that stands the wrong way round, with the time since when it does. */
function outOfOrder(
  standing: readonly Measured[],
  before: ReadonlyMap<string, number>,
  rules: NearnessRules,
  nowMs: number,
): ReadonlyMap<string, number> {
  const since = new Map<string, number>();
  for (const [place, front] of standing.entries()) {
    for (const behind of standing.slice(place + 1)) {
      const key = pair(front.id, behind.id);
      if (isClearlyNearer(behind, front, rules)) since.set(key, before.get(key) ?? nowMs);
    }
  }
  return since;
}

/**
 * The same regions with every one that `mayPass` another directly before it, or further in front. A
 * depth-first topological sort: passing implies being nearer, so there are no circles. Swapping
 * neighbours would not do: nearness within a window is not transitive, and a region could stay behind
 * a far one for ever because the one between them is too like both.
 */
function overtake(
  standing: readonly Measured[],
  mayPass: (front: Measured, behind: Measured) => boolean,
): readonly Measured[] {
  const placed = new Set<Measured>();
  const place = (region: Measured): void => {
    if (placed.has(region)) return;
    for (const other of standing) if (mayPass(region, other)) place(other);
    placed.add(region);
  };
  standing.forEach(place);
  return [...placed];
}
