import type { EventBus } from "../events.ts";
import { primariesOf, type RedisClient } from "../redis.ts";

/** Warns when one of the primaries may forget pins to make room. Never rejects. */
export async function warnOfEviction(client: RedisClient, events: EventBus): Promise<void> {
  const policies = await Promise.all(primariesOf(client).map(evictionPolicy));
  const policy = policies.find((found) => found !== null && found !== "noeviction");
  if (policy === undefined) return;
  const detail = `maxmemory-policy is ${policy}, so a full Redis forgets who has just written; set noeviction`;
  events.emit("warned", { what: "redis may evict pins", detail });
}

/**
 * What Redis drops when its memory is full; null when it does not say. Never rejects. From INFO, which a
 * managed Redis answers even where CONFIG is forbidden.
 */
async function evictionPolicy(node: { info(section: string): Promise<unknown> }): Promise<string | null> {
  try {
    return policyIn(await node.info("memory"));
  } catch {
    return null;
  }
}

function policyIn(info: unknown): string | null {
  return /^maxmemory_policy:([a-z-]+)\s*$/m.exec(String(info))?.[1] ?? null;
}
