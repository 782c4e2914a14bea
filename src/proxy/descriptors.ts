import { readFileSync } from "node:fs";
import type { Config } from "../config/schema.ts";

/** How the descriptors of this process are shared out. */
export interface DescriptorShares {
  /** Connections of clients, at most. */
  readonly clients: number;
  /** Connections that have been refused and are just being told so, at most. */
  readonly farewells: number;
}

/** For files, the log, listeners, Redis, name look-ups and the admin API. */
const OWN = 48;

/** Each refusal in words costs a descriptor for a moment. */
const FAREWELLS = { most: 64, share: 1 / 16 } as const;

/**
 * Shares out `limit` descriptors such that no number of clients can keep this edge from its regions, nor from probing
 * them: what regions may need is not given to clients, or half, where there is not enough for that.
 */
export function shareDescriptors(limit: number, { regions, proxy }: Config): DescriptorShares {
  const endpoints = Object.values(regions).flatMap((region) => region.endpoints).length;
  const farewells = Math.min(FAREWELLS.most, Math.floor(limit * FAREWELLS.share));
  const free = Math.max(0, limit - OWN - farewells);
  // One more connection for each endpoint's probes.
  const forRegions = endpoints * (proxy.connectionsPerEndpoint + 1);
  return { clients: Math.max(Math.floor(free / 2), free - forRegions, 1), farewells };
}

/** How many descriptors this process may have; infinite where the system does not say. */
export function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
