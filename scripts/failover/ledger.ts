import type { Execution, Reign } from "../chaos/history.ts";
import { nowMs } from "../chaos/monotonic.ts";

/** An execution while the world still writes on it. */
export interface Entry extends Execution {
  /** Which region executed it. */
  readonly region: string;
  readonly appliedAtMs: Record<string, number>;
  lostAtMs: number | null;
}

/** All that was ever executed in the world, wherever, and who reigned when. */
export class Ledger {
  readonly executions: Entry[] = [];
  readonly reigns: Reign[] = [];

  /** Versions are of the world, so that what a split brain wrote twice differs. */
  enter(write: Pick<Entry, "operation" | "key" | "region" | "epoch" | "position">): Entry {
    const version = this.executions.length + 1;
    const entry: Entry = { ...write, version, atMs: nowMs(), appliedAtMs: {}, lostAtMs: null };
    this.executions.push(entry);
    return entry;
  }

  begin(epoch: number, writer: string): void {
    this.reigns.push({ epoch, writer, fromMs: nowMs() });
  }

  /** What this database does not have is lost, as far as it was not lost before. */
  lose(has: (entry: Entry) => boolean): void {
    const atMs = nowMs();
    for (const entry of this.executions) if (!has(entry)) entry.lostAtMs ??= atMs;
  }
}
