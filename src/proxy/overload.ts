import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus, OverloadCause } from "../events.ts";

/** What is watched of this process. */
export interface Vitals {
  /** How late the event loop mostly was since this was asked before, in milliseconds. */
  lateMs(): number;
  /** How full memory is, from 0 to 1. */
  memoryShare(): number;
  /** Gives back what of it is not needed any more. Everything waits meanwhile. */
  tidy(): void;
}

export interface OverloadParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly vitals: Vitals;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
}

/** How often it is looked. */
const LOOK_MS = 250;

/**
 * How often memory is tidied while it is short, and in what share of the time at most. Without that an edge would never know
 * that it is not short any more: V8 collects nothing while nothing is allocated, and it keeps pages that it does not need.
 */
const TIDY = { everyMs: 5_000, share: 0.05 } as const;

/** Looks in a row that make an overload, for one stall is none; and as many that end it. */
const LOOKS = { begin: 2, end: 4 } as const;

/** An overload ends below this share of the threshold that it began above, so that it does not come and go. */
const RELIEF: Readonly<Record<OverloadCause, number>> = { event_loop: 0.5, memory: 0.95 };

/**
 * Which share of clients is asked, with an answer, not to come back over the same connection. When time is short they
 * leave by and by, since to connect anew costs time as well; when memory is, all do.
 */
const DISMISSED: Readonly<Record<OverloadCause, number>> = { event_loop: 0.1, memory: 1 };

/** One measure: whether it is too high, and for how many looks it has been otherwise. */
interface Strain {
  high: boolean;
  contrary: number;
}

/** Watches whether this process has more to do than it can, and says when it begins and ends. */
export class Overload {
  readonly #parts: OverloadParts;
  readonly #strains: Readonly<Record<OverloadCause, Strain>> = {
    event_loop: { high: false, contrary: 0 },
    memory: { high: false, contrary: 0 },
  };
  #thresholds: Config["limits"]["overload"];
  #looking: NodeJS.Timeout | null = null;
  #tidyAfterMs = Number.NEGATIVE_INFINITY;

  constructor(config: Config, parts: OverloadParts) {
    this.#parts = parts;
    this.#thresholds = config.limits.overload;
  }

  /** Why no new connections are taken; null when they are. */
  get cause(): OverloadCause | null {
    return this.causes[0] ?? null;
  }

  /** Memory first: it is the one that ends in a crash. */
  get causes(): readonly OverloadCause[] {
    return (["memory", "event_loop"] as const).filter((cause) => this.#strains[cause].high);
  }

  /** Whether the client of an answer should be asked to leave with it. */
  get dismisses(): boolean {
    const { cause } = this;
    return cause !== null && this.#parts.chance() < DISMISSED[cause];
  }

  start(): void {
    this.#looking ??= setInterval(() => this.look(), LOOK_MS);
  }

  configure({ limits }: Config): void {
    this.#thresholds = limits.overload;
  }

  /** Called every quarter of a second once started. */
  look(): void {
    const { eventLoopDelay, memoryPercent } = this.#thresholds;
    const lateMs = this.#parts.vitals.lateMs();
    const percent = this.#memoryPercent(memoryPercent);
    this.#observe("event_loop", lateMs, eventLoopDelay, `${Math.round(lateMs)} ms late`);
    this.#observe("memory", percent, memoryPercent, `${Math.round(percent)} % of the memory used`);
  }

  close(): void {
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#looking = null;
  }

  /** What is used of the memory; if that is too much, when it has been tidied. */
  #memoryPercent(threshold: number): number {
    const { vitals, clock } = this.#parts;
    const percent = vitals.memoryShare() * 100;
    const nowMs = clock.now();
    if (nowMs < this.#tidyAfterMs || !this.#isHigh("memory", percent, threshold)) return percent;
    vitals.tidy();
    const tookMs = clock.now() - nowMs;
    this.#tidyAfterMs = nowMs + Math.max(TIDY.everyMs, tookMs / TIDY.share);
    return vitals.memoryShare() * 100;
  }

  /** A threshold of 0 is none. */
  #isHigh(cause: OverloadCause, value: number, threshold: number): boolean {
    return threshold > 0 && value > threshold * (this.#strains[cause].high ? RELIEF[cause] : 1);
  }

  #observe(cause: OverloadCause, value: number, threshold: number, seen: string): void {
    const strain = this.#strains[cause];
    const isHigh = this.#isHigh(cause, value, threshold);
    strain.contrary = isHigh === strain.high ? 0 : strain.contrary + 1;
    if (strain.contrary < (strain.high ? LOOKS.end : LOOKS.begin)) return;
    strain.high = isHigh;
    strain.contrary = 0;
    this.#parts.events.emit("overloadChanged", { cause, shedding: isHigh, seen });
  }
}
