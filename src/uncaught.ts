import type { Clock } from "./clock.ts";
import type { EdgeEvents, EventBus } from "./events.ts";
import type { Logger } from "./observe/log.ts";

/** More than these in a minute: nobody knows any more what state this process is in. */
const STORM_OF = 60;
const STORM_WITHIN_MS = 60_000;

type Uncaught = EdgeEvents["uncaught"];

/**
 * What becomes of errors that nobody caught, exceptions and rejections. A bug that one request has met must not take
 * everybody's connections with it: it is told of, and the edge goes on. But not before it is ready, when nobody is
 * connected and half of it may be missing; and not in a storm of them.
 */
export class UncaughtErrors {
  /** Rejects with the first one unless {@link goOn} was called before it. */
  readonly early: Promise<never>;
  /** Resolves when there are too many. */
  readonly storm: Promise<void>;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #timesMs: number[] = [];
  #events: EventBus | null = null;
  #giveUp: (error: Error) => void = () => {};
  #begin: () => void = () => {};

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.early = new Promise((_, reject) => {
      this.#giveUp = reject;
    });
    this.storm = new Promise((resolve) => {
      this.#begin = resolve;
    });
    // Somebody may never look at it.
    this.early.catch(() => {});
  }

  listen(): void {
    process.on("uncaughtException", (error, origin) => this.met(error, origin));
  }

  /** From now on the edge goes on, and tells of them by its events. */
  goOn(events: EventBus): void {
    this.#events = events;
  }

  met(thrown: unknown, origin: Uncaught["origin"]): void {
    const error = thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
    if (this.#events === null) {
      this.#log.error({ err: error, origin }, "uncaught");
      this.#giveUp(error);
      return;
    }
    this.#count();
    try {
      this.#events.emit("uncaught", { origin, error });
    } catch (broken) {
      // Thrown from here it would end the process.
      this.#log.error({ err: broken, origin }, "uncaught");
    }
  }

  #count(): void {
    const nowMs = this.#clock.now();
    this.#timesMs.push(nowMs);
    if (this.#timesMs.length <= STORM_OF) return;
    const firstMs = this.#timesMs.shift() ?? nowMs;
    if (nowMs - firstMs <= STORM_WITHIN_MS) this.#begin();
  }
}
