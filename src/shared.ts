import { systemClock } from "./clock.ts";
import type { CurrentConfig } from "./config/current.ts";
import type { Config } from "./config/schema.ts";
import { PinFeed } from "./consistency/feed.ts";
import { ClusterFeed } from "./consistency/feed-cluster.ts";
import { RedisFeed } from "./consistency/feed-redis.ts";
import { guardRedis } from "./consistency/fleet-pins.ts";
import type { FleetPinStore } from "./consistency/guarded.ts";
import type { EventBus } from "./events.ts";
import { MemoryHash } from "./fleet/memory-hash.ts";
import { RedisHash } from "./fleet/redis-hash.ts";
import type { Fields, SharedHash } from "./fleet/shared-hash.ts";
import { connectRedis, type RedisClient } from "./redis.ts";

/** How long a start waits for Redis before it serves without. */
const REDIS_PATIENCE_MS = 1_000;

/** What the edges of a fleet share, put together: over one connection to Redis, or for a lone edge in this process. */
export class Shared {
  /** Null for a lone edge: its own pins are all there are. */
  readonly pins: FleetPinStore | null;
  readonly feed: PinFeed | null;
  /** All that the edges agree on. */
  readonly hash: SharedHash;
  readonly #client: RedisClient | null;
  /** Hears that there is news in the hash; a connection that listens can do nothing else. */
  readonly #listener: RedisClient | null;

  /** @param name what the others call this process */
  constructor(current: CurrentConfig, events: EventBus, name = current.get().edge.id) {
    const { redis } = current.get();
    this.#client = redis === undefined ? null : connectRedis(redis, name);
    this.#listener = redis === undefined ? null : connectRedis(redis, name);
    if (redis === undefined || this.#client === null) {
      this.pins = null;
      this.feed = null;
      this.hash = new MemoryHash(name);
      return;
    }
    const tells = () => current.get().consistency.mode === "bounded";
    this.pins = guardRedis(this.#client, redis.namespace, { clock: systemClock, events, tells });
    this.feed = feedOf(redis, name, events);
    const options = { edgeId: name, listener: this.#listener, isUrgent: isMoving };
    this.hash = new RedisHash(this.#client, redis.namespace, options);
  }

  get redis(): "off" | "up" | "down" {
    if (this.pins === null) return "off";
    return this.pins.isUp ? "up" : "down";
  }

  /** Resolves when it is known what the others have said, or Redis has had its time to say it. */
  async start(): Promise<void> {
    await Promise.all([this.pins?.ready(REDIS_PATIENCE_MS), this.hash.start()]);
  }

  /** After everything that uses it; the pins are closed by who holds them. */
  async close(): Promise<void> {
    await this.hash.close();
    this.#listener?.disconnect();
    this.#client?.disconnect();
  }
}

/** While the write region moves every edge follows each step. */
function isMoving(fields: Fields): boolean {
  return (fields.get("move") ?? "") !== "";
}

/** Its commands block, so it has a connection of its own. */
function feedOf(redis: NonNullable<Config["redis"]>, edgeId: string, events: EventBus): PinFeed {
  const Feed = redis.cluster === undefined ? RedisFeed : ClusterFeed;
  const connect = () => new Feed(redis, redis.namespace, edgeId);
  return new PinFeed({ clock: systemClock, events, connect });
}
