import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../clock.ts";

/** Edges follow within 2 s: one interval with its jitter, one command time-out, and room. */
export const POLL_INTERVAL_MS = 1_000;
const POLL_JITTER = 0.1;
const START_PATIENCE_MS = 1_000;
const START_PAUSE_MS = 20;

export interface PollingParts {
  /** Asks once, and never rejects. Resolves to whether there was an answer. */
  readonly poll: () => Promise<boolean>;
  readonly intervalMs: () => number;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
}

/** Asks Redis again and again, each edge a little out of step, because a poll cannot miss what publish/subscribe can. */
export class Polling {
  readonly #parts: PollingParts;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: PollingParts) {
    this.#parts = parts;
  }

  /** An edge must not open for clients before it knows what the others do, if Redis can tell it within a second. */
  async start(): Promise<void> {
    const giveUpAtMs = systemClock.now() + START_PATIENCE_MS;
    while (!(await this.#parts.poll()) && systemClock.now() < giveUpAtMs) await sleep(START_PAUSE_MS);
    this.#pollLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #pollLater(): void {
    if (this.#closed) return;
    const { poll, intervalMs, chance } = this.#parts;
    const delayMs = intervalMs() * (1 + POLL_JITTER * (2 * chance() - 1));
    this.#timer = setTimeout(() => void poll().then(() => this.#pollLater()), delayMs);
    this.#timer.unref();
  }
}
