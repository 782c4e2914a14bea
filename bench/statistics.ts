/** The middle of some figures and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Of no figures at all everything is NaN. */
export function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const [least = Number.NaN, most = Number.NaN] = [sorted[0], sorted.at(-1)];
  return { median: medianOf(sorted), least, most };
}

function medianOf(sorted: readonly number[]): number {
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/**
 * The ratios of what was measured in the same round, so that what slows the whole machine for a while is in both.
 * A round in which one of them has no figure counts for nothing.
 */
export function ratios(
  ours: readonly (number | null)[],
  theirs: readonly (number | null)[],
): readonly number[] {
  return ours.flatMap((mine, round) => {
    const other = theirs[round] ?? null;
    return mine === null || other === null || other === 0 ? [] : [mine / other];
  });
}

/**
 * The value that `share` of all values do not exceed, by the nearest rank; NaN of none. Sorted in rising order.
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}
