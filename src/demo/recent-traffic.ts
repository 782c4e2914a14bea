import type { Clock } from "../clock.ts";

const WINDOW_MS = 5_000;

/** Which regions served the requests of the last five seconds. */
export class RecentTraffic {
  readonly #clock: Clock;
  readonly #startedMs: number;
  #served: { readonly atMs: number; readonly region: string }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedMs = clock.now();
  }

  add(region: string): void {
    this.#served.push({ atMs: this.#clock.now(), region });
  }

  /** Requests per second of each region that had any. */
  rates(): ReadonlyMap<string, number> {
    const nowMs = this.#clock.now();
    this.#served = this.#served.filter(({ atMs }) => atMs > nowMs - WINDOW_MS);
    const seconds = Math.max(1_000, Math.min(WINDOW_MS, nowMs - this.#startedMs)) / 1_000;
    const rates = new Map<string, number>();
    for (const { region } of this.#served) rates.set(region, (rates.get(region) ?? 0) + 1 / seconds);
    return rates;
  }
}
