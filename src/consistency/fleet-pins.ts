import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { connectPrimaries, isCluster, type RedisClient, redisCause } from "../redis.ts";
import { BirthMark, birthMarkKey } from "./birth-mark.ts";
import { ClusterPinStore } from "./cluster.ts";
import { warnOfEviction } from "./eviction.ts";
import { type FleetPinStore, GuardedPinStore } from "./guarded.ts";
import { RedisPinStore } from "./redis.ts";

export interface FleetParts {
  readonly clock: Clock;
  readonly events: EventBus;
  /** Whether writes are told to the feed now, see `PinFeed`. Left out: never. */
  readonly tells?: () => boolean;
}

/**
 * The pins of a fleet over this connection. What is lost opens the breaker at once, what is new is probed at once.
 * Warns, whenever it is there (again), of a Redis that may forget pins to make room.
 */
export function guardRedis(client: RedisClient, namespace: string, parts: FleetParts): FleetPinStore {
  return isCluster(client) ? guardCluster(client, namespace, parts) : guardOne(client, namespace, parts);
}

function guardOne(client: RedisClient, namespace: string, parts: FleetParts): GuardedPinStore {
  const store = new RedisPinStore(client, namespace, parts.tells);
  const mark = new BirthMark(client, birthMarkKey(namespace));
  const probePid = randomBytes(16).toString("base64url");
  const guarded = new GuardedPinStore({ store, mark, probePid, ...parts });
  const { breaker } = guarded;
  client.on("error", (error: Error) => breaker.trip(redisCause(error)));
  client.on("close", () => breaker.trip("closed"));
  client.on("ready", () => {
    void breaker.probe();
    void warnOfEviction(client, parts.events);
  });
  return guarded;
}

function guardCluster(client: RedisClient, namespace: string, parts: FleetParts): ClusterPinStore {
  const guarded = new ClusterPinStore(client, namespace, parts);
  client.on("error", (error: Error) => guarded.trip(redisCause(error)));
  client.on("close", () => guarded.trip("closed"));
  client.on("-node", () => guarded.doubt());
  client.on("ready", () => void connectPrimaries(client).then(() => guarded.probe()));
  parts.events.on("redisState", ({ up }) => {
    if (up) void warnOfEviction(client, parts.events);
  });
  return guarded;
}
