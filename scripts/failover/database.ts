import { nowMs } from "../chaos/monotonic.ts";
import type { RegionDatabase } from "../chaos/region.ts";
import type { Entry, Ledger } from "./ledger.ts";

/** A database as the world sees it: what its region asks of it, and what replication does. */
export interface WorldDatabase extends RegionDatabase {
  readonly id: string;
  /** How long after its commit a write of another region arrives here. */
  replicationMs: number;
  /** Takes what has been long enough under way from there. */
  follow(source: WorldDatabase): void;
  has(entry: Entry): boolean;
}

/**
 * The database of one region, with a write log of its own: nothing but the promoter keeps two of them from taking
 * writes at once, as in life. A replica copies the log of whoever it follows.
 */
export class Database implements WorldDatabase {
  readonly id: string;
  replicationMs = 0;
  epoch = 1;
  /** Until when its probe goes on saying what was before its promotion. */
  saysFromMs = 0;
  readonly #ledger: Ledger;
  readonly #log: Entry[] = [];
  readonly #versions = new Map<string, number>();
  #isWriter: boolean;
  #lastDelayMs = 0;
  #waitingSinceMs: number | null = null;

  constructor(id: string, isWriter: boolean, ledger: Ledger) {
    this.id = id;
    this.#isWriter = isWriter;
    this.#ledger = ledger;
  }

  get takesWrites(): boolean {
    return this.#isWriter;
  }

  get writer(): boolean {
    return this.#isWriter && nowMs() >= this.saysFromMs;
  }

  get position(): number {
    return this.#log.length;
  }

  get lagMs(): number {
    if (this.#isWriter) return 0;
    const waitedMs = this.#waitingSinceMs === null ? 0 : nowMs() - this.#waitingSinceMs;
    return Math.round(Math.max(this.#lastDelayMs, waitedMs));
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 0;
  }

  has(entry: Entry): boolean {
    return this.#log[entry.position - 1] === entry;
  }

  commit(operation: string, key: string): Entry {
    const { id, epoch } = this;
    const entry = this.#ledger.enter({ operation, key, region: id, epoch, position: this.position + 1 });
    this.#apply(entry);
    return entry;
  }

  follow(source: Database): void {
    const dueMs = nowMs() - this.replicationMs;
    for (const next of source.#after(this.position)) {
      this.#waitingSinceMs = next.atMs;
      if (next.atMs > dueMs) return;
      this.#apply(next);
      this.#lastDelayMs = nowMs() - next.atMs;
    }
    this.#waitingSinceMs = null;
  }

  demote(): void {
    this.#isWriter = false;
  }

  promote(epoch: number): void {
    this.#isWriter = true;
    this.epoch = epoch;
  }

  /** Becomes a replica of another: what that one does not have is gone. */
  become(source: Database): void {
    this.#isWriter = false;
    this.epoch = source.epoch;
    const parted = this.#log.findIndex((entry) => !source.has(entry));
    if (parted === -1) return;
    const kept = this.#log.splice(0).slice(0, parted);
    this.#versions.clear();
    for (const entry of kept) this.#apply(entry);
  }

  /** Has all that the other has, at once. */
  catchUpWith(source: Database): void {
    for (const entry of source.#after(this.position)) this.#apply(entry);
    this.#waitingSinceMs = null;
  }

  #after(position: number): readonly Entry[] {
    return this.#log.slice(position);
  }

  #apply(entry: Entry): void {
    this.#log.push(entry);
    this.#versions.set(entry.key, entry.version);
    entry.appliedAtMs[this.id] ??= nowMs();
  }
}
