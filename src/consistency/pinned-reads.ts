import type { Clock } from "../clock.ts";
import type { Pid } from "./store.ts";

/**
 * Counts the reads that each user's pin brings to the writer in this second, so that one who writes all day (a bot, a
 * shared API key) cannot bring it all of his reads as well. Whole seconds: what is counted is forgotten with them.
 */
export class PinnedReads {
  readonly #clock: Clock;
  readonly #counts = new Map<Pid, number>();
  #second = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one more read of this user; false when it is more than `perSecond`. 0: any number. */
  allows(pids: readonly Pid[], perSecond: number): boolean {
    const [pid] = pids;
    if (perSecond === 0 || pid === undefined) return true;
    const second = Math.floor(this.#clock.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.clear();
    }
    const count = (this.#counts.get(pid) ?? 0) + 1;
    this.#counts.set(pid, count);
    return count <= perSecond;
  }
}
