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
  /** The birth mark of the Redis that answered, of a cluster those of all its shards; null when one has none. */
  readonly mark: string | null;
}

/** Where every edge's writes can be read in the order in which they were recorded. */
export interface FeedSource {
  /** Whether a read can wait there for something to come, instead of being asked again later. */
  readonly blocks: boolean;
  /** What came after the last read; waits up to `blockMs`, if any, when there is nothing. Rejects without having moved on. */
  read(blockMs: number): Promise<FeedBatch>;
  /** The next read begins with the oldest entry of whatever was found to have another mark. */
  rewind(): void;
  close(): void;
}
