/** How long a client that sends a body may make others wait. */
export interface PatienceRules {
  /** At a time. */
  readonly idleMs: number;
  /** In all, beside the time that what it has sent stands for. */
  readonly graceMs: number;
  /** What it has to send on the average; 0: only `idleMs` counts. */
  readonly bytesPerSecond: number;
}

/** Coarse, so that the timers of many clients share few lists. */
const STEP_MS = 250;

/**
 * Waits for a client that sends a body, and loses patience with one that drips: whoever has sent much may pause, whoever
 * sends a byte now and then is soon found out. Time in which the region does not take what came is not the client's.
 */
export class Patience {
  #rules: PatienceRules;
  readonly #now: () => number;
  readonly #lost: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isWaiting = false;
  #begunAtMs = 0;
  #waitedMs = 0;
  #bytes = 0;

  /** @param now monotonic milliseconds */
  constructor(rules: PatienceRules, now: () => number, lost: () => void) {
    this.#rules = rules;
    this.#now = now;
    this.#lost = lost;
  }

  /** The client is waited for. */
  begin(): void {
    this.#isWaiting = true;
    this.#begunAtMs = this.#now();
    this.#timer = setTimeout(this.#lost, Math.ceil(this.#leftMs() / STEP_MS) * STEP_MS);
  }

  /** It has sent something. */
  end(bytes: number): void {
    this.stop();
    this.#waitedMs += this.#now() - this.#begunAtMs;
    this.#bytes += bytes;
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#isWaiting = false;
    clearTimeout(this.#timer);
  }

  /** From now on it may be as slow as it likes, if it is not silent. */
  relax(): void {
    this.#rules = { ...this.#rules, bytesPerSecond: 0 };
    if (!this.#isWaiting) return;
    clearTimeout(this.#timer);
    this.begin();
  }

  #leftMs(): number {
    const { idleMs, graceMs, bytesPerSecond } = this.#rules;
    if (bytesPerSecond === 0) return idleMs;
    const earnedMs = (this.#bytes * 1_000) / bytesPerSecond;
    return Math.min(idleMs, Math.max(0, graceMs + earnedMs - this.#waitedMs));
  }
}
