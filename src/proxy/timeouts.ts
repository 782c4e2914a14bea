import { Bag, type Bagged } from "../bag.ts";

/** By up to two of these a time-out is late; it is never early. */
const LOOK_EVERY_MS = 250;

/** Somebody who waits for a region, and may have waited for too long. */
export interface Waiting extends Bagged {
  /** @param awakeMs this look, in {@link Timeouts.awakeMs} */
  look(awakeMs: number): void;
}

/**
 * The time-outs of requests, looked after together. undici makes an object of each, which it keeps until it next looks after them, half
 * a second later: by then it is old, and two for each request were 60 % of all that became old at 9,600 requests a second.
 */
export class Timeouts {
  readonly #waiting = new Bag<Waiting>();
  readonly #timer: NodeJS.Timeout;
  #awakeMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#lookAt(), LOOK_EVERY_MS).unref();
  }

  /**
   * Milliseconds in which this process was awake, at the next look: a stall, however long, is one look, since nobody else has
   * caused it. What is reckoned from here is never more than has passed.
   */
  get awakeMs(): number {
    return this.#awakeMs + LOOK_EVERY_MS;
  }

  /** From now on it is looked after; idempotent. */
  add(waiting: Waiting): void {
    this.#waiting.add(waiting);
  }

  delete(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #lookAt(): void {
    this.#awakeMs += LOOK_EVERY_MS;
    for (const waiting of this.#waiting) waiting.look(this.#awakeMs);
  }
}
