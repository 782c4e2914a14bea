import type { Clock } from "../clock.ts";

/** One write, as the write log of the simulated database carries it. */
export interface LogEntry {
  /** Where it stands in the log; the first write is 1. */
  readonly position: number;
  readonly key: string;
  readonly version: number;
  readonly writtenAtMs: number;
}

/** What the database of one region holds: a version for every key, as of a position in the write log. */
export class RegionStore {
  readonly #versions = new Map<string, number>();
  #position = 0;

  get position(): number {
    return this.#position;
  }

  /** 0 for a key that was never written here. */
  version(key: string): number {
    return this.#versions.get(key) ?? 0;
  }

  /** Never goes back, so that two writers may replicate to each other. */
  apply({ key, version, position }: LogEntry): void {
    this.#versions.set(key, Math.max(this.version(key), version));
    this.#position = Math.max(this.#position, position);
  }
}

/** Carries writes to one region's store, in the order of the log, each `lagMs` after it was made. */
export class ReplicationLink {
  lagMs: number;
  readonly #store: RegionStore;
  readonly #clock: Clock;
  #queue: LogEntry[] = [];
  #timer: NodeJS.Timeout | undefined;
  #frozen = false;
  #lastDelayMs = 0;

  constructor(store: RegionStore, clock: Clock, lagMs: number) {
    this.#store = store;
    this.#clock = clock;
    this.lagMs = lagMs;
  }

  /** As a heartbeat table would show it: the delay of the last write applied, or the age of one that waits for longer. */
  get observedLagMs(): number {
    const oldest = this.#queue[0];
    const waitedMs = oldest === undefined ? 0 : this.#clock.now() - oldest.writtenAtMs;
    return Math.round(Math.max(this.#lastDelayMs, waitedMs));
  }

  push(entry: LogEntry): void {
    this.#queue.push(entry);
    this.#arm();
  }

  /** Writes pile up from now on; `thaw` applies those that are due. */
  freeze(): void {
    this.#frozen = true;
    this.#disarm();
  }

  thaw(): void {
    this.#frozen = false;
    this.#arm();
  }

  close(): void {
    this.#disarm();
    this.#queue = [];
  }

  #arm(): void {
    const next = this.#queue[0];
    if (next === undefined || this.#frozen || this.#timer !== undefined) return;
    const waitMs = Math.max(0, next.writtenAtMs + this.lagMs - this.#clock.now());
    this.#timer = setTimeout(() => this.#applyDue(), waitMs);
    this.#timer.unref();
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #applyDue(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.now();
    const later = this.#queue.findIndex(({ writtenAtMs }) => writtenAtMs + this.lagMs > nowMs);
    const due = this.#queue.splice(0, later === -1 ? this.#queue.length : later);
    for (const entry of due) {
      this.#store.apply(entry);
      this.#lastDelayMs = nowMs - entry.writtenAtMs;
    }
    this.#arm();
  }
}
