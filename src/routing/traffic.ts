import type { Facts } from "./decision.ts";

/** How many requests of one kind a region is sent. The kinds are those of a `Move`. */
export interface Rate {
  readonly region: string;
  readonly traffic: "reads" | "writes";
  /** Of reads by whom residency says where they may be served; null for all others. */
  readonly jurisdictions: readonly string[] | null;
  readonly perSecond: number;
}

const WINDOW_SECONDS = 10;

interface Counted extends Omit<Rate, "perSecond"> {
  count: number;
}

interface Second {
  readonly at: number;
  /** By region. Two counts may be of one kind, when residency says the same in two ways. */
  readonly counts: Map<string, Counted[]>;
}

/** What this edge has sent to each region in the last ten seconds. Time is an argument. */
export class TrafficMeter {
  readonly #startedAtMs: number;
  #seconds: readonly Second[] = [];

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs;
  }

  /** One more attempt to have a request served. */
  count(
    nowMs: number,
    region: string,
    { intent, jurisdictions }: Pick<Facts, "intent" | "jurisdictions">,
  ): void {
    const traffic = intent === "write" ? "writes" : "reads";
    const bound = intent === "write" ? null : jurisdictions;
    const { counts } = this.#second(nowMs);
    const there = counts.get(region);
    const counted = there?.find((kind) => kind.traffic === traffic && kind.jurisdictions === bound);
    if (counted !== undefined) counted.count += 1;
    else counts.set(region, [...(there ?? []), { region, traffic, jurisdictions: bound, count: 1 }]);
  }

  rates(nowMs: number): readonly Rate[] {
    const firstAt = firstSecond(nowMs);
    const elapsedMs = Math.max(1_000, Math.min(nowMs - firstAt * 1_000, nowMs - this.#startedAtMs));
    const recent = this.#seconds
      .filter(({ at }) => at >= firstAt)
      .flatMap(({ counts }) => [...counts.values()].flat());
    return summed(recent.map(({ count, ...kind }) => ({ ...kind, perSecond: (count * 1_000) / elapsedMs })));
  }

  #second(nowMs: number): Second {
    const at = Math.floor(nowMs / 1_000);
    const last = this.#seconds.at(-1);
    if (last?.at === at) return last;
    const fresh: Second = { at, counts: new Map() };
    this.#seconds = [...this.#seconds.filter((each) => each.at >= firstSecond(nowMs)), fresh];
    return fresh;
  }
}

/** One rate for each region and kind, of all that are given. */
export function summed(rates: readonly Rate[]): readonly Rate[] {
  const sums = new Map<string, Rate>();
  for (const rate of rates) {
    const perSecond = rate.perSecond + (sums.get(keyOf(rate))?.perSecond ?? 0);
    sums.set(keyOf(rate), { ...rate, perSecond });
  }
  return [...sums.values()];
}

function keyOf({ region, traffic, jurisdictions }: Omit<Rate, "perSecond">): string {
  return `${region}\n${traffic}\n${jurisdictions?.join("\n") ?? ""}`;
}

/** The present one is not over, so that the window is between nine and ten seconds long. */
function firstSecond(nowMs: number): number {
  return Math.floor(nowMs / 1_000) - WINDOW_SECONDS + 1;
}
