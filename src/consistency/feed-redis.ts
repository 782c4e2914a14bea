import { connectRedis, type RedisAddress, type RedisClient } from "../redis.ts";
import { birthMarkKey } from "./birth-mark.ts";
import { feedKey } from "./feed-script.ts";
import type { FeedBatch, FeedEntry, FeedSource } from "./feed-source.ts";
import { SHARDS } from "./redis.ts";

/** Entries of one shard in one answer: many enough for a backlog, few enough not to hold up requests. */
export const ENTRIES_AT_MOST = 250;
/** Before the oldest entry. */
export const FEED_START = "0-0";
/** Longer than it blocks, and than the silence after which the connection is given up: that one knows better. */
export const COMMAND_TIMEOUT_MS = 2_000;

export type RawEntry = readonly [id: string, fields: readonly string[]];
type RawStream = readonly [key: string, entries: readonly RawEntry[]];

/**
 * The feed of a fleet over a connection of its own, since its commands block. The three commands of a read are sent
 * together and run in this order on one Redis, so the mark and the time are never older than the entries.
 */
export class RedisFeed implements FeedSource {
  readonly blocks = true;
  readonly #client: RedisClient;
  readonly #markKey: string;
  readonly #cursors: Map<string, string>;

  constructor(address: RedisAddress | string, namespace: string, edgeId: string) {
    this.#client = connectRedis(address, edgeId, Math.random, COMMAND_TIMEOUT_MS);
    this.#markKey = birthMarkKey(namespace);
    const keys = Array.from({ length: SHARDS }, (_, shard) => feedKey(namespace, shard));
    this.#cursors = new Map(keys.map((key) => [key, FEED_START]));
  }

  async read(blockMs: number): Promise<FeedBatch> {
    const places = [...this.#cursors.keys(), ...this.#cursors.values()];
    const [streams, mark, time] = await Promise.all([
      blockMs > 0
        ? this.#client.xread("COUNT", ENTRIES_AT_MOST, "BLOCK", blockMs, "STREAMS", ...places)
        : this.#client.xread("COUNT", ENTRIES_AT_MOST, "STREAMS", ...places),
      this.#client.get(this.#markKey),
      this.#client.time(),
    ]);
    return this.#batch(streams ?? [], mark, redisMs(time));
  }

  rewind(): void {
    for (const key of this.#cursors.keys()) this.#cursors.set(key, FEED_START);
  }

  close(): void {
    this.#client.disconnect();
  }

  #batch(streams: readonly RawStream[], mark: string | null, nowMs: number): FeedBatch {
    const entries = streams.flatMap(([, raw]) => raw.flatMap(([, fields]) => entryOf(fields, nowMs)));
    for (const [key, raw] of streams) this.#cursors.set(key, raw.at(-1)?.[0] ?? FEED_START);
    return { entries, isAll: streams.every(([, raw]) => raw.length < ENTRIES_AT_MOST), mark };
  }
}

/** Deadline and time are by the same clock, that of Redis. What cannot be read is not ours. */
export function entryOf(fields: readonly string[], nowMs: number): readonly FeedEntry[] {
  const value = (name: string) => fields[fields.indexOf(name) + 1] ?? "";
  const remainingMs = Number(value("d")) - nowMs;
  return remainingMs > 0 ? [{ pid: value("u"), writeId: value("w"), remainingMs }] : [];
}

function redisMs(time: readonly unknown[]): number {
  const [seconds, microseconds] = time.map(Number);
  const nowMs = (seconds ?? Number.NaN) * 1_000 + Math.floor((microseconds ?? Number.NaN) / 1_000);
  if (!Number.isSafeInteger(nowMs)) throw new TypeError("Redis answered what is no time");
  return nowMs;
}
