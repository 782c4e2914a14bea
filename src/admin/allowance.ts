import type { Clock } from "../clock.ts";

/** What one key has left. */
interface Left {
  count: number;
  atMs: number;
  suppressed: number;
}

export interface Rate {
  readonly atOnce: number;
  readonly perSecond: number;
}

/** Lets each key do something some times at once and then at a rate, and counts what it holds back. Keys are few. */
export class Allowance {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #byKey = new Map<string, Left>();

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** How many were held back since the last that was let through; null when this one is. */
  take(key: string): number | null {
    const atMs = this.#clock.now();
    const { atOnce, perSecond } = this.#rate;
    const left = this.#byKey.get(key) ?? { count: atOnce, atMs, suppressed: 0 };
    this.#byKey.set(key, left);
    left.count = Math.min(atOnce, left.count + ((atMs - left.atMs) / 1_000) * perSecond);
    left.atMs = atMs;
    if (left.count < 1) {
      left.suppressed += 1;
      return null;
    }
    const { suppressed } = left;
    left.count -= 1;
    left.suppressed = 0;
    return suppressed;
  }
}
