import { nowMs } from "../chaos/monotonic.ts";
import type { WorldDatabase } from "./database.ts";
import type { Entry, Ledger } from "./ledger.ts";

/**
 * The database of one region where every region takes writes: each has a log of its own, gives it to the others, and of
 * two writes of one key the newer wins. There is no position that all of them share.
 */
export class PeerDatabase implements WorldDatabase {
  readonly id: string;
  readonly epoch = 1;
  readonly writer = true;
  readonly takesWrites = true;
  readonly position = null;
  readonly lagMs = 0;
  replicationMs = 0;
  readonly #ledger: Ledger;
  readonly #own: Entry[] = [];
  /** How far it has each other's log. */
  readonly #taken = new Map<string, number>();
  readonly #versions = new Map<string, number>();

  constructor(id: string, ledger: Ledger) {
    this.id = id;
    this.#ledger = ledger;
  }

  version(key: string): number {
    return this.#versions.get(key) ?? 0;
  }

  has(entry: Entry): boolean {
    return entry.appliedAtMs[this.id] !== undefined;
  }

  commit(operation: string, key: string): Entry {
    const { id, epoch } = this;
    const entry = this.#ledger.enter({ operation, key, region: id, epoch, position: this.#own.length + 1 });
    this.#own.push(entry);
    this.#apply(entry);
    return entry;
  }

  follow(source: PeerDatabase): void {
    const dueMs = nowMs() - this.replicationMs;
    const taken = this.#taken.get(source.id) ?? 0;
    const due = source.#own.slice(taken).filter(({ atMs }) => atMs <= dueMs);
    for (const entry of due) this.#apply(entry);
    this.#taken.set(source.id, taken + due.length);
  }

  #apply(entry: Entry): void {
    this.#versions.set(entry.key, Math.max(entry.version, this.version(entry.key)));
    entry.appliedAtMs[this.id] ??= nowMs();
  }
}
