import type { Clock } from "../clock.ts";

/** A floor for edges that have not seen enough traffic to know what is normal, in requests per second. */
const FLOOR_PER_SECOND = 50;
/** How much of its normal load the writer may get on top. */
const TIMES_NORMAL = 2;
const HALF_LIFE_SECONDS = 60;
const NEWEST_SHARE = 1 - 2 ** (-1 / HALF_LIFE_SECONDS);

/** An average over seconds, of which the last weighs most (half-life one minute). */
export function blended(average: number, newest: number): number {
  return average + (newest - average) * NEWEST_SHARE;
}

/**
 * How many readers may be sent to the writer only because nobody knows whether they are pinned. Without it,
 * losing Redis would send the readers of the whole world to one region. A token bucket, filled by what was
 * normal while Redis answered.
 */
export class WriterBudget {
  readonly #clock: Clock;
  #averagePerSecond = 0;
  #second = 0;
  #inThisSecond = 0;
  #tokens = FLOOR_PER_SECOND;
  #filledAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAtMs = clock.now();
  }

  /** What may be spent in a second. */
  get perSecond(): number {
    return Math.max(FLOOR_PER_SECOND, TIMES_NORMAL * this.#averagePerSecond);
  }

  /** One more request for the writer, for its own sake. Whole seconds without one are not counted. */
  note(): void {
    const second = Math.floor(this.#clock.now() / 1_000);
    if (second !== this.#second) {
      this.#averagePerSecond = blended(this.#averagePerSecond, this.#inThisSecond);
      this.#second = second;
      this.#inThisSecond = 0;
    }
    this.#inThisSecond += 1;
  }

  /** Whether one reader's worth is left. */
  get isLeft(): boolean {
    const now = this.#clock.now();
    const earned = ((now - this.#filledAtMs) / 1_000) * this.perSecond;
    this.#tokens = Math.min(this.perSecond, this.#tokens + earned);
    this.#filledAtMs = now;
    return this.#tokens >= 1;
  }

  /** Takes one reader's worth; false when it is spent. */
  spend(): boolean {
    if (!this.isLeft) return false;
    this.#tokens -= 1;
    return true;
  }
}
