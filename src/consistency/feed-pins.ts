import type { Clock } from "../clock.ts";
import type { Pid } from "./store.ts";

/** Both in the clock's monotonic milliseconds. */
interface Heard {
  /** Until then the pin is believed as it was heard. */
  readonly believedUntilMs: number;
  /** Until then the user may be pinned; whether it is so, the store knows. */
  readonly untilMs: number;
}

/** How many users each new one makes it look at for pins that are over: more than it can add, so the sweep keeps up. */
const SWEPT_PER_STEP = 2;

/**
 * What other edges' writes have told this one: for each user, until when it is pinned at most. It only ever extends;
 * a write that has ended earlier than its intent is not told of, so after `believeMs` a pin is only a reason to ask.
 */
export class FeedPins {
  readonly #clock: Clock;
  readonly #users = new Map<Pid, Heard>();
  #sweep = this.#users.entries();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Another edge's write pins this user for `forMs` from now. */
  hear(pid: Pid, forMs: number, believeMs: number): void {
    const now = this.#clock.now();
    const before = this.#users.get(pid);
    this.#users.set(pid, {
      believedUntilMs: Math.max(now + Math.min(forMs, believeMs), before?.believedUntilMs ?? 0),
      untilMs: Math.max(now + forMs, before?.untilMs ?? 0),
    });
    this.#sweepOn(now);
  }

  /** Whether one of these users is pinned, without asking anybody. */
  believes(pids: readonly Pid[]): boolean {
    const now = this.#clock.now();
    return pids.some((pid) => (this.#users.get(pid)?.believedUntilMs ?? now) > now);
  }

  /** Whether one of these users may be pinned. */
  holds(pids: readonly Pid[]): boolean {
    const now = this.#clock.now();
    return pids.some((pid) => (this.#users.get(pid)?.untilMs ?? now) > now);
  }

  forget(pid: Pid): void {
    this.#users.delete(pid);
  }

  /** Users in memory, some of whom may be pinned no longer. */
  get held(): number {
    return this.#users.size;
  }

  /** One small step of an endless round over all users, as in the memory store. */
  #sweepOn(now: number): void {
    for (let step = 0; step < SWEPT_PER_STEP; step += 1) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = this.#users.entries();
        return;
      }
      const [pid, { untilMs }] = next.value;
      if (untilMs <= now) this.#users.delete(pid);
    }
  }
}
