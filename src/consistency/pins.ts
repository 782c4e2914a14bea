import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import type { PinReading } from "../routing/decision.ts";
import { WriterBudget } from "./budget.ts";
import type { PinFeed } from "./feed.ts";
import { PinLayers } from "./layers.ts";
import type { Pid, PinInspection, PinStore } from "./store.ts";
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

/** What else is known of a read. */
export interface ReadHints {
  /** The client sent a cookie of ours, so it would have sent its token too, had it written lately. */
  readonly carriesToken: boolean;
  /** Nobody is served by it, so it spends nothing of what the writer can bear: a decision is being explained. */
  readonly rehearsal?: boolean;
}

/** Makes a writeId unique among edges and their restarts. */
const NONCE_BYTES = 9;

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
    this.#feed?.configure(config, this.#nonce);
  }

  /** For writes and reads from now on. Pins that are held keep their time. */
  configure(config: Config): void {
    this.#config = config;
    this.#feed?.configure(config, this.#nonce);
  }

  /** What is known without a round trip; null when only the store can tell. */
  known(pids: readonly Pid[], tokenRemainingMs: number): "pinned" | null {
    if (this.#config.consistency.mode === "off") return null;
    return tokenRemainingMs > 0 || this.#layers.isPinnedHere(pids) ? "pinned" : null;
  }

  /**
   * Asks the store; never rejects, and answers within one command time-out. Whoever calls has asked
   * {@link known} first.
   */
  async read(pids: readonly Pid[], hints: ReadHints): Promise<PinReading> {
    if (!this.#keepsPins || pids.length === 0) return "free";
    const found = await this.#layers.lookUp(pids);
    return found === "unknown" ? this.#unanswered(hints) : found;
  }

  /** Opens a write's pin: held here when this returns, and sent to the store. */
  open(pids: readonly Pid[]): OpenPin {
    if (!this.#keepsPins) return NOTHING_TO_PIN;
    this.#writes += 1;
    const write: OpenWrite = new OpenWrite(pids, `${this.#nonce}.${this.#writes}`, this.#times, {
      layers: this.#layers,
      events: this.#events,
      settled: () => this.#open.delete(write),
    });
    this.#open.add(write);
    return write;
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

  /** Users whose pins this process holds itself. */
  activeCount(): number {
    return this.#layers.count();
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
