import type { Clock } from "../clock.ts";

/** A time-out in pieces; this many. */
const SLICES = 4;

/**
 * A time-out that a sleeping process does not use up. After a stall (a stopped process, a suspended
 * machine, a long collection) timers fire before the sockets are read, so a plain one would blame the
 * peer for our own sleep. This one is cut into slices, each begun when the last has ended: a stall,
 * however long, costs one of them, and there is always a last look at the sockets.
 */
export class AwakeDeadline {
  /** Whether the process stalled: whatever was measured meanwhile is not the peer's doing. */
  stalled = false;
  readonly #clock: Clock;
  readonly #sliceMs: number;
  readonly #onExpiry: () => void;
  #slicesLeft = SLICES;
  #timer: NodeJS.Timeout | null = null;

  constructor(timeoutMs: number, clock: Clock, onExpiry: () => void) {
    this.#sliceMs = timeoutMs / SLICES;
    this.#clock = clock;
    this.#onExpiry = onExpiry;
    this.#nextSlice();
  }

  /** Idempotent; afterwards it does not expire. */
  cancel(): void {
    this.#slicesLeft = -1;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #nextSlice(): void {
    const dueMs = this.#clock.now() + this.#sliceMs;
    this.#timer = setTimeout(() => this.#sliceEnded(this.#clock.now() - dueMs), this.#sliceMs);
  }

  #sliceEnded(lateMs: number): void {
    if (lateMs > this.#sliceMs / 2) this.stalled = true;
    this.#slicesLeft -= 1;
    if (this.#slicesLeft > 0) this.#nextSlice();
    else setImmediate(() => this.#expire());
  }

  /** Runs after the sockets were read once more; an answer that is already here has cancelled us by now. */
  #expire(): void {
    if (this.#slicesLeft === 0) this.#onExpiry();
  }
}
