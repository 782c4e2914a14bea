import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";

/** So many wrong tokens within a minute, and an address is not listened to for a minute. */
export const MOST_WRONG_TOKENS = 10;
const WITHIN_MS = 60_000;
const LOCKED_MS = 60_000;

/** As many addresses are remembered; who has more may guess more often, at tokens that no guessing finds. */
const MOST_ADDRESSES = 1_024;

interface Guesser {
  /** When it gave its last wrong tokens, oldest first. */
  readonly atMs: readonly number[];
  readonly lockedUntilMs: number;
}

/** Keeps addresses out that guess tokens, each for a while. */
export class Lockout {
  readonly #clock: Clock;
  readonly #events: EventBus;
  /** The one that guessed longest ago comes first. */
  readonly #guessers = new Map<string, Guesser>();

  constructor(clock: Clock, events: EventBus) {
    this.#clock = clock;
    this.#events = events;
  }

  get remembered(): number {
    return this.#guessers.size;
  }

  /** How long an address will not be listened to; 0 when it will be. */
  remainingMs(address: string): number {
    const { lockedUntilMs = 0 } = this.#guessers.get(address) ?? {};
    return Math.max(0, lockedUntilMs - this.#clock.now());
  }

  /** One more wrong token from there. A right one in between takes nothing back: a viewer may guess an operator's. */
  gaveWrongToken(address: string): void {
    const nowMs = this.#clock.now();
    const { atMs = [] } = this.#guessers.get(address) ?? {};
    const recent = [...atMs.filter((each) => nowMs - each < WITHIN_MS), nowMs];
    const locked = recent.length >= MOST_WRONG_TOKENS;
    this.#guessers.delete(address);
    this.#guessers.set(
      address,
      locked ? { atMs: [], lockedUntilMs: nowMs + LOCKED_MS } : { atMs: recent, lockedUntilMs: 0 },
    );
    this.#forgetOldest();
    if (locked) this.#events.emit("lockedOut", { address, wrongTokens: recent.length, lastsMs: LOCKED_MS });
  }

  #forgetOldest(): void {
    const [oldest] = this.#guessers.keys();
    if (oldest !== undefined && this.#guessers.size > MOST_ADDRESSES) this.#guessers.delete(oldest);
  }
}
