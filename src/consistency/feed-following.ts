import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { redisCause } from "../redis.ts";
import type { FeedBatch, FeedEntry, FeedSource } from "./feed-source.ts";

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
 * After another mark nothing is proven for so long: what that Redis has lost, the edge that wrote it tells again. By
 * then whoever guards the pins, and looks at the mark once a second, doubts them by itself.
 */
const DOUBT_MS = 2_000;

export interface Listener {
  stalenessMs(): number;
  heard(entry: FeedEntry): void;
  /** A question was answered, or failed. */
  turned(): void;
}

/** One connection's worth of following, from the oldest entry on. */
export class Following {
  /** When the last question was sent whose answer left nothing out; never, once another Redis has answered. */
  provenAtMs = Number.NEGATIVE_INFINITY;
  /** The same, whoever has answered since; before the first, when following began. */
  knownAtMs: number;
  /** Why nothing newer is known, in a word or two. */
  cause = "no answer";
  readonly #source: FeedSource;
  readonly #clock: Clock;
  readonly #listener: Listener;
  readonly #stop = new AbortController();
  readonly #stopped: Promise<void>;
  #mark: string | null = null;
  /** The last mark that was one. */
  #lastMark: string | null = null;
  #doubtedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(source: FeedSource, clock: Clock, listener: Listener) {
    this.#source = source;
    this.#clock = clock;
    this.#listener = listener;
    this.knownAtMs = clock.now();
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
      const pauseMs = await this.#turn().catch((error: unknown) => this.#fail(error));
      if (!signal.aborted) this.#listener.turned();
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** Resolves to how long to wait before the next. */
  async #turn(): Promise<number> {
    const waitMs = Math.min(LONGEST_BLOCK_MS, this.#listener.stalenessMs() / READS_PER_STALENESS);
    const blocks = this.#source.blocks && waitMs >= SHORTEST_BLOCK_MS;
    const askedAtMs = this.#clock.now();
    const batch = await this.#source.read(blocks ? Math.floor(waitMs) : 0);
    for (const entry of batch.entries) this.#listener.heard(entry);
    if (batch.mark === null || batch.mark !== this.#mark) return this.#beginAgain(batch.mark);
    this.#learn(batch, askedAtMs);
    if (!batch.isAll) return 0;
    if (!blocks) return Math.max(waitMs, SHORTEST_PAUSE_MS);
    return batch.entries.length === 0 ? 0 : GATHER_MS;
  }

  #learn({ isAll }: FeedBatch, askedAtMs: number): void {
    const isDoubted = askedAtMs < this.#doubtedUntilMs;
    this.cause = isDoubted ? "amnesia" : isAll ? "no answer" : "backlog";
    if (isDoubted || !isAll) return;
    this.provenAtMs = askedAtMs;
    this.knownAtMs = askedAtMs;
  }

  #fail(error: unknown): number {
    this.cause = redisCause(error);
    return RETRY_MS;
  }

  /** It is another Redis, or one that was emptied: what it writes now may sort before what was read already. */
  #beginAgain(mark: string | null): number {
    const last = this.#lastMark;
    this.cause = mark === null ? "no birth mark" : "amnesia";
    if (last !== null && last !== mark) this.#doubtedUntilMs = this.#clock.now() + DOUBT_MS;
    this.#lastMark = mark ?? last;
    this.#mark = mark;
    this.provenAtMs = Number.NEGATIVE_INFINITY;
    this.#source.rewind();
    return mark === null ? RETRY_MS : 0;
  }
}
