import { connectRedis, type RedisAddress, type RedisClient } from "../redis.ts";
import { COMMAND_TIMEOUT_MS, ENTRIES_AT_MOST, entryOf, FEED_START, type RawEntry } from "./feed-redis.ts";
import { feedKey } from "./feed-script.ts";
import type { FeedBatch, FeedEntry, FeedSource } from "./feed-source.ts";
import { NOW, RUN } from "./pin-scripts.ts";
import { SHARDS, shardKey } from "./redis.ts";

/**
 * One shard's entries after a cursor, its birth mark, and its time: of one moment. A mark that a replica has inherited
 * is not that of the node that had made it, so the run of the server is part of it.
 */
const READ = `${NOW}${RUN}local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local mark = redis.call('GET', KEYS[2])
return { now, mark and mark .. ' in ' .. run, entries }
`;

type RawAnswer = readonly [nowMs: unknown, mark: unknown, entries: unknown];

interface FeedCommands {
  meridianFeed(feed: string, mark: string, after: string, atMost: number): Promise<RawAnswer>;
}

interface Answer {
  readonly lastId: string | null;
  readonly entries: readonly FeedEntry[];
  readonly isAll: boolean;
  readonly mark: string | null;
}

/** How far one shard was read, and in which run of which node. */
interface Place {
  readonly feed: string;
  readonly markKey: string;
  after: string;
  mark: string | null;
  /** What has another mark than it had is read from its start. */
  isAnother: boolean;
}

/**
 * The feed of a fleet on the nodes of a Redis Cluster: sixteen streams, each asked where its shard is, all at once. No
 * command blocks, for one that waits would hold up the others to its node. One shard that does not answer is an
 * answer too few: then nothing is known of anybody. One that has forgotten is read again, and only that one.
 */
export class ClusterFeed implements FeedSource {
  readonly blocks = false;
  readonly #client: RedisClient & FeedCommands;
  readonly #places: readonly Place[];

  constructor(address: RedisAddress, namespace: string, edgeId: string) {
    const client = connectRedis(address, edgeId, Math.random, COMMAND_TIMEOUT_MS);
    client.defineCommand("meridianFeed", { lua: READ, numberOfKeys: 2 });
    this.#client = client as RedisClient & FeedCommands;
    this.#places = Array.from({ length: SHARDS }, (_, shard) => ({
      feed: feedKey(namespace, shard),
      markKey: shardKey(namespace, shard, "born"),
      after: FEED_START,
      mark: null,
      isAnother: true,
    }));
  }

  /** Waits for every shard, also when one has failed, so that no answer of this read is out during the next. */
  async read(): Promise<FeedBatch> {
    const asked = await Promise.allSettled(this.#places.map((place) => this.#ask(place)));
    const answers = asked.map((each) => {
      if (each.status === "rejected") throw each.reason;
      return each.value;
    });
    for (const [shard, place] of this.#places.entries()) moveOn(place, answers[shard]);
    const marks = answers.map(({ mark }) => mark);
    return {
      entries: answers.flatMap(({ entries }) => entries),
      isAll: answers.every(({ isAll }) => isAll),
      mark: marks.includes(null) ? null : marks.join(),
    };
  }

  rewind(): void {
    for (const place of this.#places) if (place.isAnother) place.after = FEED_START;
  }

  close(): void {
    this.#client.disconnect();
  }

  /** Of the primary: a replica sends whoever asks it to that. */
  async #ask({ feed, markKey, after }: Place): Promise<Answer> {
    const [nowMs, mark, raw] = await this.#client.meridianFeed(feed, markKey, after, ENTRIES_AT_MOST);
    if (typeof nowMs !== "number" || !Array.isArray(raw))
      throw new TypeError("Redis answered what is no feed");
    const entries = raw as readonly RawEntry[];
    return {
      lastId: entries.at(-1)?.[0] ?? null,
      entries: entries.flatMap(([, fields]) => entryOf(fields, nowMs)),
      isAll: entries.length < ENTRIES_AT_MOST,
      mark: typeof mark === "string" ? mark : null,
    };
  }
}

function moveOn(place: Place, answer: Answer | undefined): void {
  if (answer === undefined) return;
  place.after = answer.lastId ?? place.after;
  place.isAnother = answer.mark === null || answer.mark !== place.mark;
  place.mark = answer.mark;
}
