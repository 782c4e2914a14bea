import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import { Following } from "./feed-following.ts";
import { FeedPins } from "./feed-pins.ts";
import type { FeedEntry, FeedSource } from "./feed-source.ts";
import type { Pid } from "./store.ts";

export interface FeedParts {
  readonly clock: Clock;
  readonly events: EventBus;
  /** Opens the connection that is read from; called each time that following begins. */
  readonly connect: () => FeedSource;
}

/** How often it is looked whether an answer is overdue. */
const WATCH_MS = 250;

/**
 * What makes mode `bounded`: this edge follows what all others write, so that a read of somebody who has not written
 * lately needs no look-up. An answer proves that nothing older than its question is missing; for `staleness` from
 * then on it is knowledge (`isFresh`), and beyond that it is none. Idle in any other mode. Says `feedState` when it
 * falls behind, and when it has caught up.
 */
export class PinFeed {
  readonly #clock: Clock;
  readonly #events: EventBus;
  readonly #connect: () => FeedSource;
  readonly #pins: FeedPins;
  #following: Following | null = null;
  #watch: NodeJS.Timeout | null = null;
  #stalenessMs = 0;
  #believeMs = 0;
  #ownNonce = "";
  /** What was last said to the world; it is not told of an ordinary start. */
  #saidBehind = false;

  constructor({ clock, events, connect }: FeedParts) {
    this.#clock = clock;
    this.#events = events;
    this.#connect = connect;
    this.#pins = new FeedPins(clock);
  }

  /** Begins or ends to follow as the mode demands. Writes whose id begins with `ownNonce` are this edge's own. */
  configure({ consistency }: Config, ownNonce: string): void {
    this.#stalenessMs = consistency.staleness;
    this.#believeMs = consistency.graceWindow;
    this.#ownNonce = ownNonce;
    if (consistency.mode !== "bounded") void this.close();
    else this.#following ??= this.#follow();
  }

  /** Whether everything that was recorded more than `staleness` ago is known here. */
  get isFresh(): boolean {
    const provenAtMs = this.#following?.provenAtMs ?? Number.NEGATIVE_INFINITY;
    return this.#clock.now() - provenAtMs < this.#stalenessMs;
  }

  /** How old what is known here is, at least as old as following itself; null while nothing is followed. */
  get ageMs(): number | null {
    return this.#following === null ? null : this.#clock.now() - this.#following.knownAtMs;
  }

  /** Whether another edge's write pins one of them for sure enough not to ask. */
  believes(pids: readonly Pid[]): boolean {
    return this.#pins.believes(pids);
  }

  /** Whether another edge's write may still pin one of them. */
  holds(pids: readonly Pid[]): boolean {
    return this.#pins.holds(pids);
  }

  /** An operator has released this user. */
  forget(pid: Pid): void {
    this.#pins.forget(pid);
  }

  /** Users in memory because of other edges' writes. */
  get held(): number {
    return this.#pins.held;
  }

  async close(): Promise<void> {
    const following = this.#following;
    this.#following = null;
    this.#saidBehind = false;
    if (this.#watch !== null) clearInterval(this.#watch);
    await following?.stop();
  }

  #follow(): Following {
    this.#watch = setInterval(() => this.#say(), WATCH_MS).unref();
    return new Following(this.#connect(), this.#clock, {
      stalenessMs: () => this.#stalenessMs,
      heard: (entry) => this.#hear(entry),
      turned: () => this.#say(),
    });
  }

  /** This edge's own writes are known here better: with their ends. */
  #hear({ pid, writeId, remainingMs }: FeedEntry): void {
    if (!writeId.startsWith(`${this.#ownNonce}.`)) this.#pins.hear(pid, remainingMs, this.#believeMs);
  }

  /** With a staleness of 0 it is meant to be behind, which is no news. */
  #say(): void {
    const { ageMs } = this;
    const behind = ageMs !== null && this.#stalenessMs > 0 && ageMs >= this.#stalenessMs;
    if (behind === this.#saidBehind) return;
    this.#saidBehind = behind;
    if (this.#stalenessMs === 0) return;
    this.#events.emit("feedState", { behind, cause: behind ? (this.#following?.cause ?? null) : null });
  }
}
