import type { EventBus } from "../events.ts";
import type { Position } from "../routing/position.ts";
import type { PinLayers, Recorded } from "./layers.ts";
import type { Pid } from "./store.ts";

/** What became of a write; `unknown` after a time-out, a reset, a 5xx or a client that left. */
export type WriteOutcome = "committed" | "notWritten" | "unknown";

/** The pin of one write, from before it is forwarded until its response has ended. */
export interface OpenPin {
  /** Resolves, never rejects, when the store has the pin of every user or will not have it in time. */
  readonly acknowledged: Promise<Recorded>;
  /** Pins users that the response establishes as well. Resolves like {@link acknowledged}. */
  add(pids: readonly Pid[]): Promise<Recorded>;
  /**
   * Ends the write. Not awaited, never throws, and only the first call counts. `committed` keeps the users
   * pinned for `windowMs` (at least the grace window), or until a region has their `position`; `notWritten` unpins
   * them; `unknown` leaves the intent to live out its time, because the write may have happened.
   */
  settle(outcome: WriteOutcome, end?: WriteEnd): void;
}

/** How a committed write ends. */
export interface WriteEnd {
  readonly windowMs?: number;
  /** Where it stands in the write log, so that its user may leave the writer early; null when nobody said. */
  readonly position?: Position | null;
}

export interface WriteParts {
  readonly layers: PinLayers;
  readonly events: EventBus;
  /** Called once, when the write has been settled. */
  readonly settled: () => void;
}

export interface WriteTimes {
  /** How long the pin outlives an edge that dies: the longest a response takes, and the grace window. */
  readonly intentTtlMs: number;
  readonly graceWindowMs: number;
  readonly maxPinMs: number;
}

const SETTLED = { committed: "end", notWritten: "cancel", unknown: "expire" } as const;

/** An {@link OpenPin} that is renewed while it is open, so that a long upload does not outlive it. */
export class OpenWrite implements OpenPin {
  readonly acknowledged: Promise<Recorded>;
  readonly #parts: WriteParts;
  readonly #writeId: string;
  readonly #times: WriteTimes;
  readonly #pids = new Set<Pid>();
  readonly #renewal: NodeJS.Timeout;
  #settled = false;

  constructor(pids: readonly Pid[], writeId: string, times: WriteTimes, parts: WriteParts) {
    this.#parts = parts;
    this.#writeId = writeId;
    this.#times = times;
    this.acknowledged = this.#begin(pids, "begin");
    this.#renewal = setInterval(() => void this.#begin([...this.#pids], "extend"), times.intentTtlMs / 2);
    this.#renewal.unref();
  }

  add(pids: readonly Pid[]): Promise<Recorded> {
    const fresh = pids.filter((pid) => !this.#pids.has(pid));
    if (this.#settled || fresh.length === 0) return this.acknowledged;
    return this.#begin(fresh, this.#pids.size === 0 ? "begin" : "extend");
  }

  settle(outcome: WriteOutcome, { windowMs = 0, position = null }: WriteEnd = {}): void {
    if (this.#settled) return;
    this.#settled = true;
    clearInterval(this.#renewal);
    this.#parts.settled();
    if (outcome === "committed") this.#end(this.#window(windowMs), position);
    if (outcome === "notWritten") this.#end(0, null);
    this.#say(SETTLED[outcome]);
  }

  #end(ttlMs: number, position: Position | null): void {
    if (this.#pids.size > 0) void this.#parts.layers.end([...this.#pids], this.#writeId, ttlMs, position);
  }

  #begin(pids: readonly Pid[], action: "begin" | "extend"): Promise<Recorded> {
    if (pids.length === 0) return Promise.resolve("recorded");
    for (const pid of pids) this.#pids.add(pid);
    this.#say(action);
    return this.#parts.layers.begin(pids, this.#writeId, this.#times.intentTtlMs);
  }

  #window(windowMs: number): number {
    const { graceWindowMs, maxPinMs } = this.#times;
    return Math.max(graceWindowMs, Math.min(windowMs, maxPinMs));
  }

  #say(action: "begin" | "extend" | "end" | "cancel" | "expire"): void {
    if (this.#pids.size > 0) this.#parts.events.emit("pinned", { action });
  }
}
