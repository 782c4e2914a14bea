/** One line of what Prometheus scrapes. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * The samples of one metric in the text format that `GET /metrics` answers, as this project writes it: no label's value
 * holds a quote or a brace.
 */
export function samplesOf(text: string, name: string): readonly Sample[] {
  const line = new RegExp(`^${name}(?:\\{([^}]*)\\})? (\\S+)$`, "gm");
  return [...text.matchAll(line)].map(([, labels = "", value]) => ({
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, of]) => [key, of])),
    value: Number(value),
  }));
}

/** The sums of a metric's samples by one of its labels. */
export function sumsBy(label: string, samples: readonly Sample[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { labels, value } of samples) {
    const key = labels[label] ?? "";
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

/** How much each has grown; a process that was started again has begun at nothing. */
export function growth(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const grown = [...after].map(([key, value]) => {
    const was = before.get(key) ?? 0;
    return [key, value >= was ? value - was : value] as const;
  });
  return new Map(grown);
}

/** The upper bound below which `share` of what a histogram has counted lies, by its cumulative buckets; null of nothing. */
export function quantileOf(share: number, buckets: ReadonlyMap<string, number>): number | null {
  const bounds = [...buckets].map(
    ([bound, count]) => [Number(bound.replace("+Inf", "Infinity")), count] as const,
  );
  const sorted = bounds.sort(([one], [other]) => one - other);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  return sorted.find(([, count]) => count >= share * total)?.[0] ?? null;
}
