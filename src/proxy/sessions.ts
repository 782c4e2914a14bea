import type { Clock } from "../clock.ts";

/** Beyond this many the count is a lower bound; about 100 bytes each. */
const MAX_SESSIONS = 100_000;

/** Where this edge has lately seen which session, so that an operator knows whom a drain is waiting for. */
export class Sessions {
  /** By session, the one seen longest ago first: a Map keeps the order in which its keys were set. */
  readonly #seen = new Map<string, { readonly region: string; readonly atMs: number }>();
  readonly #counts = new Map<string, number>();
  readonly #clock: Clock;
  readonly #ttlMs: () => number;

  /** @param ttlMs how long after its last request a session still counts; the affinity cookie's own life */
  constructor(clock: Clock, ttlMs: () => number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  saw(session: string, region: string): void {
    this.#forget(session);
    this.#seen.set(session, { region, atMs: this.#clock.now() });
    this.#counts.set(region, (this.#counts.get(region) ?? 0) + 1);
    this.#sweep();
  }

  count(region: string): number {
    this.#sweep();
    return this.#counts.get(region) ?? 0;
  }

  #sweep(): void {
    const expired = this.#clock.now() - this.#ttlMs();
    for (const [session, { atMs }] of this.#seen) {
      if (atMs >= expired && this.#seen.size <= MAX_SESSIONS) return;
      this.#forget(session);
    }
  }

  #forget(session: string): void {
    const known = this.#seen.get(session);
    if (known === undefined) return;
    this.#seen.delete(session);
    this.#counts.set(known.region, (this.#counts.get(known.region) ?? 1) - 1);
  }
}
