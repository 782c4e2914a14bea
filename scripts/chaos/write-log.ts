import type { Execution, Reign } from "./history.ts";
import { nowMs } from "./monotonic.ts";

/** An execution while the world still writes on it. */
interface Entry extends Execution {
  readonly appliedAtMs: Record<string, number>;
  lostAtMs: number | null;
}

/** The one write log of the world: who may append to it, in which epoch, and all that was ever executed. */
export class WriteLog {
  /** What promotions have lost is here too. */
  readonly executions: Entry[] = [];
  readonly reigns: Reign[] = [];
  /** The writer takes no more writes: it waits for another to take over. */
  fenced = false;
  #entries: Entry[] = [];

  constructor(writer: string) {
    this.#begin(1, writer);
  }

  get epoch(): number {
    return this.reigns.length;
  }

  get writer(): string {
    return this.reigns.at(-1)?.writer ?? "";
  }

  /** Of the last entry; the first is 1. */
  get end(): number {
    return this.#entries.length;
  }

  /** The entry after this position; null at the end. */
  after(position: number): Entry | null {
    return this.#entries[position] ?? null;
  }

  /** All entries up to a position. */
  upTo(position: number): readonly Entry[] {
    return this.#entries.slice(0, position);
  }

  append(operation: string, key: string): Entry {
    const { epoch } = this;
    const [version, position] = [this.executions.length + 1, this.end + 1];
    const entry = {
      operation,
      key,
      version,
      epoch,
      position,
      atMs: nowMs(),
      appliedAtMs: {},
      lostAtMs: null,
    };
    this.#entries.push(entry);
    this.executions.push(entry);
    return entry;
  }

  /** The next epoch begins here: what lies beyond is lost, and its positions are used again. */
  promote(writer: string, position: number): void {
    for (const lost of this.#entries.splice(position)) lost.lostAtMs = nowMs();
    this.#begin(this.epoch + 1, writer);
  }

  #begin(epoch: number, writer: string): void {
    this.fenced = false;
    this.reigns.push({ epoch, writer, fromMs: nowMs() });
  }
}
