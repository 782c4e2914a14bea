import { setTimeout as sleep } from "node:timers/promises";
import { Identities } from "../../src/consistency/identities.ts";
import { shardOf } from "../../src/consistency/redis.ts";
import { SECRET, type Stage } from "./stage.ts";

const PATIENCE_MS = 300;
const identities = new Identities([{ header: "authorization" }], [SECRET]);

/**
 * Whether Redis, asked past every edge, has this user's pin; null when it does not answer, or may have lost it since
 * `sinceLife`.
 */
export async function hasPin(
  stage: Stage,
  authorization: string,
  sinceLife: number,
): Promise<boolean | null> {
  const [pid = ""] = identities.identitiesOf({ authorization }).write;
  const asked = stage.redis.command(`EXISTS {meridian:${shardOf(pid)}}:p:${pid}`).catch(() => null);
  const answer = await Promise.race([asked, sleep(PATIENCE_MS, null, { ref: false })]);
  if (answer === null || stage.redisLives !== sinceLife) return null;
  return answer.startsWith(":1") ? true : answer.startsWith(":0") ? false : null;
}
