import { systemClock } from "./clock.ts";
import type { CurrentConfig } from "./config/current.ts";
import type { Config } from "./config/schema.ts";
import { PinFeed } from "./consistency/feed.ts";
import { ClusterFeed } from "./consistency/feed-cluster.ts";
import { RedisFeed } from "./consistency/feed-redis.ts";
import { guardRedis } from "./consistency/fleet-pins.ts";
import type { FleetPinStore } from "./consistency/guarded.ts";
import type { EventBus } from "./events.ts";
import { type AdmissionStore, MemoryAdmissionStore } from "./fleet/admissions.ts";
import { RedisAdmissionStore } from "./fleet/redis-admissions.ts";
import { RedisTopologyStore } from "./fleet/redis-topology.ts";
import { firstTopology, MemoryTopologyStore, type TopologyStore } from "./fleet/topology.ts";
import { connectRedis, type RedisClient } from "./redis.ts";
import { writeRegionOf } from "./regions/view.ts";

/** How long a start waits for Redis before it serves without. */
const REDIS_PATIENCE_MS = 1_000;

/** What the edges of a fleet share, put together: over one connection to Redis, or for a lone edge in this process. */
export class Shared {
  /** Null for a lone edge: its own pins are all there are. */
  readonly pins: FleetPinStore | null;
  readonly feed: PinFeed | null;
  readonly admissions: AdmissionStore;
  readonly topology: TopologyStore;
  readonly #client: RedisClient | null;

  constructor(current: CurrentConfig, events: EventBus) {
    const config = current.get();
    const { redis, edge } = config;
    const first = firstTopology(writeRegionOf(config));
    this.#client = redis === undefined ? null : connectRedis(redis, edge.id);
    if (redis === undefined || this.#client === null) {
      this.pins = null;
      this.feed = null;
      this.admissions = new MemoryAdmissionStore();
      this.topology = new MemoryTopologyStore(first);
      return;
    }
    const tells = () => current.get().consistency.mode === "bounded";
    this.pins = guardRedis(this.#client, redis.namespace, { clock: systemClock, events, tells });
    this.feed = feedOf(redis, edge.id, events);
    this.admissions = new RedisAdmissionStore(this.#client, redis.namespace);
    this.topology = new RedisTopologyStore(this.#client, redis.namespace, first);
  }

  /** False for a lone edge, whom nobody else follows. */
  get isFleet(): boolean {
    return this.#client !== null;
  }

  get redis(): "off" | "up" | "down" {
    if (this.pins === null) return "off";
    return this.pins.isUp ? "up" : "down";
  }

  /** Resolves when it is known what the others have said, or Redis has had its time to say it. */
  async start(): Promise<void> {
    await Promise.all([this.pins?.ready(REDIS_PATIENCE_MS), this.admissions.start(), this.topology.start()]);
  }

  /** After everything that uses it; the pins are closed by who holds them. */
  async close(): Promise<void> {
    await this.admissions.close();
    await this.topology.close();
    this.#client?.disconnect();
  }
}

/** Its commands block, so it has a connection of its own. */
function feedOf(redis: NonNullable<Config["redis"]>, edgeId: string, events: EventBus): PinFeed {
  const Feed = redis.cluster === undefined ? RedisFeed : ClusterFeed;
  const connect = () => new Feed(redis, redis.namespace, edgeId);
  return new PinFeed({ clock: systemClock, events, connect });
}
