import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import type { PinReading } from "../routing/decision.ts";
import { BY_WRITER, type Hold, joinedHolds } from "../routing/hold.ts";
import { WriterBudget } from "./budget.ts";
import type { PinFeed } from "./feed.ts";
import { PinLayers } from "./layers.ts";
import { PinnedReads } from "./pinned-reads.ts";
import type { Pid, PinInspection, PinStore } from "./store.ts";
import { writeIdIn } from "./store.ts";
import { type OpenPin, OpenWrite, type WriteTimes } from "./write.ts";

export type { OpenPin } from "./write.ts";

export interface PinsParts {
  readonly clock: Clock;
  readonly events: EventBus;
  /** The store that all edges share; null without Redis, when the pins of this process are all there are. */
  readonly store: PinStore | null;
  /** Followed in mode `bounded`; without it that mode is no weaker than `strict`. */
  readonly feed?: PinFeed | null;
}

/** A reading of a user's pin, and what holds the user if anything is known to. */
export interface PinState {
  readonly pin: PinReading;
  readonly hold: Hold | null;
}

/** What else is known of a read. */
export interface ReadHints {
  /** The client sent a cookie of ours, so it would have sent its token too, had it written lately. */
  readonly carriesToken: boolean;
  /**
   * The client has written, and how long ago is a question of whose clock is right: its token is over by this edge's. The
   * feed, which may not have heard of it yet, is not believed then.
   */
  readonly hasWritten?: boolean;
  /** What {@link Pins.known} said. */
  readonly known?: Hold | null;
  /** Regions say how far they have applied the write log, so it is worth knowing what holds a pinned user. */
  readonly positions?: boolean;
  /** Nobody is served by it, so it spends nothing of what the writer can bear: a decision is being explained. */
  readonly rehearsal?: boolean;
}

/** Nobody writes that long by hand: after so long without a pause somebody should know of it. */
const STORM_AFTER_MS = 600_000;

/** Makes a writeId unique among edges and their restarts. */
const NONCE_BYTES = 9;

const FREE: PinState = { pin: "free", hold: null };

/** Somebody's word that the store does not confirm lets nobody go. */
function byWriter(hold: Hold): Hold {
  return { ...hold, open: true };
}

const NOTHING_TO_PIN: OpenPin = {
  acknowledged: Promise.resolve("recorded"),
  add: () => Promise.resolve("recorded"),
  settle: () => {},
};

/**
 * Read-your-writes as the proxy sees it: a write opens a pin and settles it, a read asks for it. Modes:
 * `strict` keeps pins; `bounded` too, and asks no store while the feed is fresh; `cookie` leaves it to the token;
 * `off` knows no pins.
 */
export class Pins {
  readonly #layers: PinLayers;
  readonly #events: EventBus;
  readonly #budget: WriterBudget;
  readonly #pinnedReads: PinnedReads;
  readonly #feed: PinFeed | null;
  readonly #nonce = randomBytes(NONCE_BYTES).toString("base64url");
  readonly #open = new Set<OpenWrite>();
  #config: Config;
  #writes = 0;

  constructor(config: Config, { clock, events, store, feed = null }: PinsParts) {
    this.#config = config;
    this.#events = events;
    this.#feed = feed;
    this.#layers = new PinLayers(store, { clock, events, times: () => this.#times, feed });
    this.#budget = new WriterBudget(clock);
    this.#pinnedReads = new PinnedReads(clock);
    this.#feed?.configure(config, this.#nonce);
  }

  /** For writes and reads from now on. Pins that are held keep their time. */
  configure(config: Config): void {
    this.#config = config;
    this.#feed?.configure(config, this.#nonce);
  }

  /**
   * What is known without a round trip, by this edge and by the client's token (null without a live one). `unasked`:
   * only the store can tell, or what is known may turn out to let the user go; or, when a promotion is recent (`promoted`), what
   * the store knows may be lost.
   */
  known(pids: readonly Pid[], token: Hold | null, positions = false, promoted = false): PinState {
    const { mode } = this.#config.consistency;
    if (mode === "off") return FREE;
    if (mode === "cookie") return token === null ? FREE : { pin: "pinned", hold: { ...token, open: true } };
    const isExact = positions || this.#hasSeveralWriters;
    const hold = joinedHolds(token, this.#layers.holdHere(pids));
    if (hold === null && !isExact && this.#layers.isTold(pids)) return { pin: "pinned", hold: BY_WRITER };
    const isSettled = hold?.open === true && !this.#hasSeveralWriters && !(promoted && positions);
    if (isSettled || (hold !== null && pids.length === 0)) return { pin: "pinned", hold: byWriter(hold) };
    return pids.length === 0 ? FREE : { pin: "unasked", hold };
  }

  /**
   * Asks the store; never rejects, and answers within one command time-out. Whoever calls has asked
   * {@link known} first.
   */
  async read(pids: readonly Pid[], hints: ReadHints): Promise<PinState> {
    if (!this.#keepsPins || pids.length === 0) return FREE;
    const { known = null, positions = false, hasWritten = false } = hints;
    const exact = positions || this.#hasSeveralWriters;
    const found = await this.#layers.lookUp(pids, { exact, believesFeed: !hasWritten });
    if (found === "unknown") return { pin: known ? "unknown" : this.#unanswered(hints), hold: known };
    if (found === "free") return known ? { pin: "pinned", hold: byWriter(known) } : FREE;
    return { pin: "pinned", hold: joinedHolds(found, known) };
  }

  /**
   * Opens a write's pin: held here when this returns, and sent to the store. `region` is where it goes, of which the pin
   * takes note where several regions take writes.
   */
  open(pids: readonly Pid[], region: string | null = null): OpenPin {
    if (!this.#keepsPins) return NOTHING_TO_PIN;
    this.#writes += 1;
    const writeId = writeIdIn(`${this.#nonce}.${this.#writes}`, this.#hasSeveralWriters ? region : null);
    const write: OpenWrite = new OpenWrite(pids, writeId, this.#times, {
      layers: this.#layers,
      events: this.#events,
      settled: () => this.#open.delete(write),
    });
    this.#open.add(write);
    for (const storm of this.#layers.newStorms(pids, STORM_AFTER_MS)) this.#events.emit("pinStorm", storm);
    return write;
  }

  /**
   * Counts one more read that a pin of this user brings to the writer. False when the operator's limit is met: then it
   * goes home, and the answer says so.
   */
  bearsRead(pids: readonly Pid[]): boolean {
    return this.#pinnedReads.allows(pids, this.#config.consistency.pinnedReadsPerSecond);
  }

  /** One more request that goes to the writer for its own sake: the measure of the writer's normal load. */
  noteWriterRequest(): void {
    if (this.#layers.isSure) this.#budget.note();
  }

  /** Rejects when the shared store cannot be asked. */
  inspect(pid: Pid): Promise<PinInspection | null> {
    return this.#layers.inspect(pid);
  }

  /** Rejects when the shared store cannot be told. True when there was a pin. */
  release(pid: Pid): Promise<boolean> {
    return this.#layers.release(pid);
  }

  /** Users whom their writes through this edge have kept pinned for ten minutes or more. */
  stormCount(): number {
    return this.#layers.countStorms(STORM_AFTER_MS);
  }

  /** Users whose pins this process holds itself. */
  activeCount(): number {
    return this.#layers.count();
  }

  /** Of these users, those who are pinned to a region: the write region, or with several writers any that took a write. */
  countAt(region: string, writeRegion: string | null): number {
    if (this.#hasSeveralWriters) return this.#layers.countIn(region);
    return region === writeRegion ? this.activeCount() : 0;
  }

  /** Renews nothing any more. Pins in the shared store live out their time. */
  async close(): Promise<void> {
    for (const write of this.#open) write.settle("unknown");
    await this.#layers.close();
  }

  get #keepsPins(): boolean {
    const { mode } = this.#config.consistency;
    return mode === "strict" || mode === "bounded";
  }

  get #hasSeveralWriters(): boolean {
    return this.#config.routing.topology === "multi-writer";
  }

  get #times(): WriteTimes {
    const { graceWindow, maxPin } = this.#config.consistency;
    const intentTtlMs = this.#config.proxy.responseTimeout + graceWindow;
    return { intentTtlMs, graceWindowMs: graceWindow, maxPinMs: maxPin };
  }

  /** The store did not answer, and neither a token nor this process says pinned. */
  #unanswered({ carriesToken, rehearsal = false }: ReadHints): PinReading {
    switch (this.#config.consistency.onRedisDown.reads) {
      case "failSafe":
        return (rehearsal ? this.#budget.isLeft : this.#budget.spend()) ? "unknown" : "waived";
      case "trustToken":
        return carriesToken ? "waived" : "unknown";
      case "failOpen":
        return "waived";
    }
  }
}
