import { AdmissionStore } from "../../src/fleet/admissions.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import type { Move } from "../../src/fleet/move.ts";
import { RedisHash, type RedisHashOptions } from "../../src/fleet/redis-hash.ts";
import type { SharedHash } from "../../src/fleet/shared-hash.ts";
import { firstTopology, type Topology, TopologyStore } from "../../src/fleet/topology.ts";
import { connectRedis, type RedisClient } from "../../src/redis.ts";

/** What an edge shares, without the edge. */
export interface FleetMember {
  readonly hash: SharedHash;
  readonly topology: TopologyStore;
  readonly admissions: AdmissionStore;
  /** Null for a lone edge. */
  readonly client: RedisClient | null;
  close(): Promise<void>;
}

const FIRST = firstTopology("us-east");

/** A member of the fleet that shares a Redis; started, unless Redis does not answer within a second. */
export async function fleetMember(
  redisUrl: string,
  { first = FIRST, heldAloneMs, ...options }: Partial<RedisHashOptions> & MemberOptions = {},
): Promise<FleetMember> {
  const client = connectRedis(redisUrl, "fleet");
  const hash = new RedisHash(client, "meridian", { edgeId: "fleet", ...options });
  const member = memberOf(hash, client, first, heldAloneMs);
  await hash.start();
  return member;
}

interface MemberOptions {
  readonly first?: Topology;
  readonly heldAloneMs?: number;
}

export function loneMember(first: Topology = FIRST): FleetMember {
  return memberOf(new MemoryHash(), null, first);
}

function memberOf(
  hash: SharedHash,
  client: RedisClient | null,
  first: Topology,
  heldAloneMs?: number,
): FleetMember {
  const topology = new TopologyStore(hash, first, heldAloneMs);
  return {
    hash,
    topology,
    admissions: new AdmissionStore(hash),
    client,
    close: async () => {
      topology.close();
      await hash.close();
      client?.disconnect();
    },
  };
}

/** A move that `by` is about to begin. */
export function moveBy(by: string, change: Partial<Move> = {}): Move {
  return {
    id: "a-move",
    from: "us-east",
    to: "eu-west",
    step: "hold",
    epoch: null,
    at: null,
    by,
    sinceMs: 0,
    leaseUntilMs: 0,
    automatic: false,
    forced: false,
    who: "ops",
    reason: "a test",
    ...change,
  };
}
