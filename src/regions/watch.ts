import type { Clock } from "../clock.ts";
import type { EndpointState } from "./endpoint.ts";
import { Probe, type ProbeOutcome, type ProbeSettings, passed, unanswered } from "./probe.ts";

/** The interval while health is changing: a fall is noticed, and a return seen, without waiting. */
const FAST_INTERVAL_MS = 500;

/** Probes that are asked for come no closer than this, however many requests fail. */
const SOON_MS = 100;

const JITTER = 0.1;

/** Answers that make a first estimate. */
const FIRST_PROBES = 3;

export interface WatchParts {
  readonly clock: Clock;
  readonly chance: () => number;
  readonly settings: () => ProbeSettings;
  readonly intervalMs: () => number;
  /** Whether its region cannot be reached for so long; see `BlackHole`. */
  readonly hides: (forMs: number) => Promise<boolean> | null;
  readonly probed: (outcome: ProbeOutcome, startedMs: number) => void;
  /** Told of a bug in the parts above. The probes go on, or the endpoint would stay as it is for good. */
  readonly failed: (error: unknown) => void;
}

/**
 * From the start of one probe to that of the next: the interval, or 500 ms while health is changing if
 * that is less, jittered by a tenth so that edges and endpoints do not fall into step.
 *
 * @param chance uniform in [0, 1)
 */
export function probeDelayMs(intervalMs: number, changing: boolean, chance: number): number {
  const baseMs = changing ? Math.min(intervalMs, FAST_INTERVAL_MS) : intervalMs;
  return baseMs * (1 + JITTER * (2 * chance - 1));
}

/** The chain of probes of one endpoint: never two at a time, each one scheduling the next. */
export class Watch {
  readonly #endpoint: EndpointState;
  readonly #parts: WatchParts;
  readonly #probe: Probe;
  #timer: NodeJS.Timeout | null = null;
  #dueMs = Number.POSITIVE_INFINITY;
  #startedMs = Number.NEGATIVE_INFINITY;
  #isProbing = false;
  /** Asked for while one was under way: that one may have been answered before the trouble began. */
  #again = false;
  /** Whoever waits for a probe that has not begun yet. */
  #waiting: ((passed: boolean) => void)[] = [];
  #stopped = false;

  constructor(endpoint: EndpointState, parts: WatchParts) {
    this.#endpoint = endpoint;
    this.#parts = parts;
    this.#probe = new Probe(() => endpoint.transport, parts.clock);
  }

  async firstProbes(): Promise<void> {
    for (let n = 0; n < FIRST_PROBES && !this.#stopped; n += 1) {
      if (!(await this.#once())) return;
    }
  }

  start(): void {
    this.#schedule();
  }

  /** Probes as soon as the rate allows. */
  soon(): void {
    if (this.#isProbing) this.#again = true;
    else this.#at(this.#startedMs + SOON_MS);
  }

  /** Asks for a probe. Resolves to whether one that began after this call has passed. */
  async ask(): Promise<boolean> {
    if (this.#stopped) return false;
    const heard = new Promise<boolean>((resolve) => this.#waiting.push(resolve));
    this.soon();
    return heard;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const tell of this.#waiting.splice(0)) tell(false);
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#probe.close();
  }

  #schedule(): void {
    const { chance, intervalMs } = this.#parts;
    const delayMs = probeDelayMs(intervalMs(), this.#endpoint.changing, chance());
    this.#at(this.#startedMs + (this.#again ? SOON_MS : delayMs));
    this.#again = false;
  }

  /** Plans the next probe for that time, unless one is planned for sooner. */
  #at(dueMs: number): void {
    if (this.#stopped || dueMs >= this.#dueMs) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#due(), Math.max(dueMs - this.#parts.clock.now(), 0));
  }

  async #due(): Promise<void> {
    this.#dueMs = Number.POSITIVE_INFINITY;
    try {
      await this.#once();
    } finally {
      this.#schedule();
    }
  }

  /** Returns whether it passed. */
  async #once(): Promise<boolean> {
    const waiting = this.#waiting.splice(0);
    const hasPassed = await this.#heard();
    for (const tell of waiting) tell(hasPassed);
    return hasPassed;
  }

  async #heard(): Promise<boolean> {
    this.#isProbing = true;
    this.#startedMs = this.#parts.clock.now();
    try {
      const outcome = await this.#outcome(this.#parts.settings());
      if (!this.#stopped) this.#parts.probed(outcome, this.#startedMs);
      return passed(outcome);
    } catch (error) {
      this.#parts.failed(error);
      return false;
    } finally {
      this.#isProbing = false;
    }
  }

  async #outcome(settings: ProbeSettings): Promise<ProbeOutcome> {
    const { timeoutMs } = settings;
    const isHidden = (await this.#parts.hides(timeoutMs)) ?? false;
    return isHidden || this.#stopped ? unanswered(timeoutMs) : this.#probe.run(settings);
  }
}
