import type { Metric, MetricObjectWithValues, MetricValueWithName, Registry } from "prom-client";

/** What a histogram is to Prometheus. */
export interface HistogramTerms {
  readonly name: string;
  readonly help: string;
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
  /** The only label; null without one. */
  readonly label: string | null;
}

/** How many values fell into each bucket, and what they came to. */
class Tally {
  /** One more than there are bounds, for what is above them all. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.counts = new Array(bounds.length + 1).fill(0);
  }
}

/**
 * A histogram in prom-client's registry that is filled without prom-client: its own makes a closure, labels and a string to find
 * them by for each value, which for the three of a request came to 3 % of an edge's time and 0.8 KB of its garbage.
 */
export class TalliedHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = "histogram";
  readonly labelNames: readonly string[];
  readonly #bounds: readonly number[];
  readonly #tallies = new Map<string, Tally>();

  constructor({ name, help, buckets, label }: HistogramTerms, registry: Registry) {
    this.name = name;
    this.help = help;
    this.labelNames = label === null ? [] : [label];
    this.#bounds = buckets;
    if (label === null) this.#tallyOf("");
    registry.registerMetric(this as unknown as Metric);
  }

  /** @param of the label's value; anything where there is no label */
  observe(of: string, value: number): void {
    const tally = this.#tallyOf(this.labelNames.length === 0 ? "" : of);
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    tally.counts[bucket] = (tally.counts[bucket] ?? 0) + 1;
    tally.sum += value;
  }

  /** As prom-client asks each of its metrics. */
  async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const values = [...this.#tallies].flatMap(([of, tally]) => this.#values(of, tally));
    const { name, help, type } = this;
    return { name, help, type, values, aggregator: "sum" } as unknown as Awaited<ReturnType<this["get"]>>;
  }

  #tallyOf(of: string): Tally {
    const known = this.#tallies.get(of);
    if (known !== undefined) return known;
    const fresh = new Tally(this.#bounds);
    this.#tallies.set(of, fresh);
    return fresh;
  }

  #values(of: string, { counts, sum }: Tally): MetricValueWithName<string>[] {
    const [label] = this.labelNames;
    const labels = label === undefined ? {} : { [label]: of };
    let count = 0;
    const buckets = counts.map((more, at) => {
      count += more;
      return this.#value("bucket", count, { le: this.#bounds[at] ?? "+Inf", ...labels });
    });
    return [...buckets, this.#value("sum", sum, labels), this.#value("count", count, labels)];
  }

  #value(part: string, value: number, labels: Record<string, string | number>): MetricValueWithName<string> {
    return { metricName: `${this.name}_${part}`, value, labels };
  }
}
