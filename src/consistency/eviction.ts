import type { RedisClient } from "../redis.ts";

/**
 * What Redis drops when its memory is full; null when it does not say. Never rejects. From INFO, which a
 * managed Redis answers even where CONFIG is forbidden.
 */
export async function evictionPolicy(client: RedisClient): Promise<string | null> {
  try {
    return policyIn(await client.info("memory"));
  } catch {
    return null;
  }
}

function policyIn(info: unknown): string | null {
  return /^maxmemory_policy:([a-z-]+)\s*$/m.exec(String(info))?.[1] ?? null;
}
