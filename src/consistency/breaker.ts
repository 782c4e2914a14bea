import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { NOT_CONNECTED, redisCause } from "../redis.ts";

const CONSECUTIVE_FAILURES = 5;
const FAILED_SHARE = 0.5;
/** Under so few commands in a second a share means nothing. */
const MIN_COMMANDS = 10;
const PROBE_INTERVAL_MS = 250;

/** What the breaker remembers of the commands it let through. */
export interface Tally {
  /** Failures since the last success. */
  readonly consecutive: number;
  /** The second that is being counted, in whole monotonic seconds. */
  readonly second: number;
  readonly commands: number;
  readonly failures: number;
}

export const EMPTY_TALLY: Tally = { consecutive: 0, second: 0, commands: 0, failures: 0 };

/** The tally after one more command. */
export function counted(tally: Tally, succeeded: boolean, nowMs: number): Tally {
  const second = Math.floor(nowMs / 1_000);
  const same = second === tally.second;
  return {
    consecutive: succeeded ? 0 : tally.consecutive + 1,
    second,
    commands: (same ? tally.commands : 0) + 1,
    failures: (same ? tally.failures : 0) + (succeeded ? 0 : 1),
  };
}

/** Whether to stop asking: five failures in a row, or half of a second's commands. */
export function isBroken({ consecutive, commands, failures }: Tally): boolean {
  return (
    consecutive >= CONSECUTIVE_FAILURES || (commands >= MIN_COMMANDS && failures >= commands * FAILED_SHARE)
  );
}

/** The store was not asked, because it is known to be away. */
export class StoreAway extends Error {
  override name = "StoreAway";
}

/** Resolves, when the store is well again, to a word for the news of it; is told whether it had failed. */
export type Probe = (afterFailure: boolean) => Promise<string | null>;

/**
 * A circuit breaker around the store. While it is open nothing is sent and every answer is immediate, so a
 * Redis that is away costs a request nothing; a probe every 250 ms closes it. It starts open, and closes with
 * the first contact. Says `redisState` when that changes.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #events: EventBus;
  readonly #probe: Probe;
  #open = true;
  /** Whether anything has gone wrong since it was last closed. Not being connected yet is not wrong. */
  #failed = false;
  /** How often it was opened, to tell a probe that it was overtaken. */
  #trips = 0;
  /** What was last said to the world; null before the first word. */
  #said: boolean | null = null;
  #tally = EMPTY_TALLY;
  #timer: NodeJS.Timeout | null = null;
  #probing = false;
  #closed = false;

  constructor(probe: Probe, { clock, events }: { readonly clock: Clock; readonly events: EventBus }) {
    this.#probe = probe;
    this.#clock = clock;
    this.#events = events;
    this.#probeLater();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Runs the command, or rejects with {@link StoreAway} at once. */
  async run<T>(command: () => Promise<T>): Promise<T> {
    if (this.#open) throw new StoreAway("the pin store is away");
    try {
      const answer = await command();
      this.#count(true, null);
      return answer;
    } catch (error) {
      this.#count(false, redisCause(error));
      throw error;
    }
  }

  /** Opens without waiting for failures, because the connection is known to be lost. */
  trip(cause: string): void {
    if (this.#closed) return;
    this.#failed ||= !this.#open || cause !== NOT_CONNECTED;
    this.#open = true;
    this.#trips += 1;
    this.#tally = EMPTY_TALLY;
    this.#say(false, cause);
    this.#probeLater();
  }

  /** Probes now instead of at the next turn, because there is reason to hope. */
  async probe(): Promise<void> {
    if (!this.#open || this.#probing || this.#closed) return;
    this.#probing = true;
    const trips = this.#trips;
    try {
      const word = await this.#probe(this.#failed);
      if (trips === this.#trips) this.#mend(word);
    } catch (error) {
      this.trip(redisCause(error));
    } finally {
      this.#probing = false;
      this.#probeLater();
    }
  }

  /** Ends the probes. The breaker stays as it is. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Never closes the breaker: a command that was sent before it opened says nothing about now. */
  #count(succeeded: boolean, cause: string | null): void {
    this.#tally = counted(this.#tally, succeeded, this.#clock.now());
    if (isBroken(this.#tally)) this.trip(cause ?? "unsteady");
  }

  #mend(word: string | null): void {
    if (this.#closed) return;
    this.#open = false;
    this.#failed = false;
    this.#tally = EMPTY_TALLY;
    this.#say(true, word);
  }

  #say(up: boolean, cause: string | null): void {
    if (this.#said === up) return;
    this.#said = up;
    this.#events.emit("redisState", { up, cause });
  }

  #probeLater(): void {
    if (!this.#open || this.#closed || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.probe();
    }, PROBE_INTERVAL_MS);
    this.#timer.unref();
  }
}
