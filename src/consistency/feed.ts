import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { FeedPins } from "./feed-pins.ts";
import type { Pid } from "./store.ts";

/** One write of one user, through any edge. */
export interface FeedEntry {
  readonly pid: Pid;
  readonly writeId: string;
  /** How long it pins the user at most, from when it was read. */
  readonly remainingMs: number;
}

export interface FeedBatch {
  readonly entries: readonly FeedEntry[];
  /** Whether nothing was left out that had been there when it was asked for. */
  readonly isAll: boolean;
  /** The birth mark of the Redis that answered; null when it has none. */
  readonly mark: string | null;
}

/** Where every edge's writes can be read in the order in which they were recorded. */
export interface FeedSource {
  /** What came after the last read; waits up to `blockMs`, if any, when there is nothing. Rejects without having moved on. */
  read(blockMs: number): Promise<FeedBatch>;
  /** The next read begins with the oldest entry. */
  rewind(): void;
  close(): void;
}

export interface FeedParts {
  readonly clock: Clock;
  /** Opens the connection that is read from; called each time that following begins. */
  readonly connect: () => FeedSource;
}

/** So that two reads in a row, with their round trips, fit into the staleness. */
const READS_PER_STALENESS = 4;
/** Redis looks ten times a second whose time to wait is over; less than this is waited for here. */
const SHORTEST_BLOCK_MS = 125;
/** Below the silence after which a connection is given up. */
const LONGEST_BLOCK_MS = 500;
/** After a batch: what is written meanwhile comes in the next, instead of in one answer for each write. */
const GATHER_MS = 20;
const SHORTEST_PAUSE_MS = 5;
const RETRY_MS = 100;

/**
 * What makes mode `bounded`: this edge follows what all others write, so that a read of somebody who has not written
 * lately needs no look-up. An answer proves that nothing older than its question is missing; for `staleness` from
 * then on it is knowledge (`isFresh`), and beyond that it is none. Idle in any other mode.
 */
export class PinFeed {
  readonly #clock: Clock;
  readonly #connect: () => FeedSource;
  readonly #pins: FeedPins;
  #following: Following | null = null;
  #stalenessMs = 0;
  #believeMs = 0;
  #ownNonce = "";

  constructor({ clock, connect }: FeedParts) {
    this.#clock = clock;
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
    return this.ageMs < this.#stalenessMs;
  }

  /** How old what is known here is; infinite while nothing is. */
  get ageMs(): number {
    return this.#clock.now() - (this.#following?.provenAtMs ?? Number.NEGATIVE_INFINITY);
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
    await following?.stop();
  }

  #follow(): Following {
    return new Following(this.#connect(), this.#clock, {
      stalenessMs: () => this.#stalenessMs,
      heard: (entry) => this.#hear(entry),
    });
  }

  /** This edge's own writes are known here better: with their ends. */
  #hear({ pid, writeId, remainingMs }: FeedEntry): void {
    if (!writeId.startsWith(`${this.#ownNonce}.`)) this.#pins.hear(pid, remainingMs, this.#believeMs);
  }
}

interface Listener {
  stalenessMs(): number;
  heard(entry: FeedEntry): void;
}

/** One connection's worth of following, from the oldest entry on. */
class Following {
  /** When the last question was sent whose answer left nothing out. */
  provenAtMs = Number.NEGATIVE_INFINITY;
  readonly #source: FeedSource;
  readonly #clock: Clock;
  readonly #listener: Listener;
  readonly #stop = new AbortController();
  readonly #stopped: Promise<void>;
  #mark: string | null = null;

  constructor(source: FeedSource, clock: Clock, listener: Listener) {
    this.#source = source;
    this.#clock = clock;
    this.#listener = listener;
    this.#stopped = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#source.close();
    await this.#stopped;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const pauseMs = await this.#turn().catch(() => RETRY_MS);
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Resolves to how long to wait before the next. */
  async #turn(): Promise<number> {
    const waitMs = Math.min(LONGEST_BLOCK_MS, this.#listener.stalenessMs() / READS_PER_STALENESS);
    const blocks = waitMs >= SHORTEST_BLOCK_MS;
    const askedAtMs = this.#clock.now();
    const batch = await this.#source.read(blocks ? Math.floor(waitMs) : 0);
    for (const entry of batch.entries) this.#listener.heard(entry);
    if (batch.mark === null || batch.mark !== this.#mark) return this.#beginAgain(batch.mark);
    if (!batch.isAll) return 0;
    this.provenAtMs = askedAtMs;
    if (!blocks) return Math.max(waitMs, SHORTEST_PAUSE_MS);
    return batch.entries.length === 0 ? 0 : GATHER_MS;
  }

  /** It is another Redis, or one that was emptied: what it writes now may sort before what was read already. */
  #beginAgain(mark: string | null): number {
    this.#mark = mark;
    this.provenAtMs = Number.NEGATIVE_INFINITY;
    this.#source.rewind();
    return mark === null ? RETRY_MS : 0;
  }
}
