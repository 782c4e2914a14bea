import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../test/support/eventually.ts";
import { startRedis } from "../../test/support/redis.ts";
import { call } from "../admin-call.ts";
import { Link } from "./link.ts";
import { promote, promoteBehindAnEdge, promoteLossy } from "./promotions.ts";
import { oneOf } from "./random.ts";
import type { Stage } from "./stage.ts";

export interface ChaosFault {
  readonly name: string;
  /** How long it is broken, about. */
  readonly forMs: number;
  /** A region is broken too, so that an edge cannot know what became of a write. */
  readonly region?: true;
  /** An edge may be without Redis, so that a write whose answer is lost may be recorded nowhere. */
  readonly redis?: true;
  /** Resolves when all is whole again. */
  readonly run: (stage: Stage, chance: () => number, forMs: number) => Promise<void>;
}

export const FAULTS: readonly ChaosFault[] = [
  { name: "redis-kill", forMs: 2_000, redis: true, run: killRedis },
  { name: "redis-restart", forMs: 0, redis: true, run: killRedis },
  { name: "redis-flush", forMs: 0, redis: true, run: flushRedis },
  { name: "redis-failover", forMs: 1_500, redis: true, run: failOver },
  { name: "redis-stop-0.2", forMs: 200, redis: true, run: stopRedis },
  { name: "redis-stop-2", forMs: 2_000, redis: true, run: stopRedis },
  { name: "redis-stop-20", forMs: 20_000, redis: true, run: stopRedis },
  { name: "redis-cut", forMs: 2_000, redis: true, run: cutFromRedis },
  { name: "redis-stall", forMs: 2_000, redis: true, run: stallRedis },
  { name: "edge-kill", forMs: 1_000, run: killEdge },
  { name: "edge-restart", forMs: 500, run: restartEdge },
  { name: "client-aborts", forMs: 3_000, run: abort },
  { name: "replica-freeze", forMs: 5_000, run: inWorld("freeze", "replica", "thaw") },
  { name: "region-slow", forMs: 2_000, run: slowWriter },
  { name: "region-kill", forMs: 2_000, run: inWorld("kill", "replica", "revive") },
  { name: "writer-kill", forMs: 1_500, region: true, run: inWorld("kill", "writer", "revive") },
  { name: "drain", forMs: 2_000, run: drain },
  { name: "clocks-4", forMs: 4_000, run: clocksApart([0, 2_000, -2_000]) },
  { name: "clocks-30", forMs: 4_000, run: clocksApart([0, 30_000, -30_000]) },
  { name: "promote", forMs: 4_000, run: promote },
  { name: "promote-lossy", forMs: 5_000, region: true, run: promoteLossy },
  { name: "stale-edge", forMs: 6_000, redis: true, run: promoteBehindAnEdge },
];

/** For commits in flight to be answered by nobody. */
const HOLD_MS = 400;
const TAIL_LOST_MS = 300;

async function killRedis(stage: Stage, _chance: () => number, forMs: number): Promise<void> {
  stage.redisLives += 1;
  await stage.redis.kill();
  await sleep(forMs);
  await stage.redis.restart();
}

async function flushRedis(stage: Stage): Promise<void> {
  stage.redisLives += 1;
  await stage.redis.flush();
}

async function stopRedis(stage: Stage, _chance: () => number, forMs: number): Promise<void> {
  stage.redis.pause();
  await sleep(forMs);
  stage.redis.resume();
}

/** The primary is lost with the last 300 ms, which its replica never got; the replica becomes the primary. */
async function failOver(stage: Stage, _chance: () => number, forMs: number): Promise<void> {
  const [primary, replica] = [stage.redis, await startRedis()];
  const replication = await Link.to(primary.port, 0);
  await primary.command("CONFIG SET repl-diskless-sync-delay 0");
  await replica.command("CONFIG SET repl-diskless-load swapdb");
  await replica.command(`REPLICAOF 127.0.0.1 ${replication.ownPort}`);
  await eventually(async () => (await replica.command("INFO replication")).includes("link_status:up"), {
    withinMs: 10_000,
  });
  await sleep(forMs);
  replication.stall();
  await sleep(TAIL_LOST_MS);
  stage.redisLives += 1;
  await Promise.all([primary.kill(), replication.close()]);
  await replica.command("REPLICAOF NO ONE");
  for (const edge of stage.everyEdge) edge.redis.port = replica.port;
  stage.redis = replica;
}

async function cutFromRedis(stage: Stage, chance: () => number, forMs: number): Promise<void> {
  const { redis } = oneOf(stage.edges, chance);
  redis.cut();
  await sleep(forMs);
  redis.mend();
}

async function stallRedis(stage: Stage, chance: () => number, forMs: number): Promise<void> {
  const { redis } = oneOf(stage.edges, chance);
  redis.stall();
  await sleep(forMs);
  redis.mend();
}

/** Killed while writes are committed and not yet answered. */
async function killEdge(stage: Stage, chance: () => number, forMs: number): Promise<void> {
  const edge = oneOf(stage.edges, chance);
  await stage.world.order({ act: "hold", region: stage.writer, ms: HOLD_MS });
  await sleep(HOLD_MS);
  await stage.endEdge(edge, "SIGKILL");
  await stage.world.order({ act: "hold", region: stage.writer, ms: 0 });
  await sleep(forMs);
  await stage.startEdge(edge);
}

async function restartEdge(stage: Stage, chance: () => number, forMs: number): Promise<void> {
  const edge = oneOf(stage.edges, chance);
  await stage.endEdge(edge, "SIGTERM");
  await sleep(forMs);
  await stage.startEdge(edge);
}

async function abort(stage: Stage, _chance: () => number, forMs: number): Promise<void> {
  const usual = stage.abortShare;
  stage.abortShare = 0.3;
  await sleep(forMs);
  stage.abortShare = usual;
}

async function slowWriter(stage: Stage, _chance: () => number, forMs: number): Promise<void> {
  await stage.world.order({ act: "slow", region: stage.writer, ms: 600 });
  await sleep(forMs);
  await stage.world.order({ act: "slow", region: stage.writer, ms: 0 });
}

async function drain({ edges, replica }: Stage, chance: () => number, forMs: number): Promise<void> {
  const { adminUrl } = oneOf(edges, chance);
  await call(`${adminUrl}/v1/regions/${replica}/drain`, { reason: "chaos" });
  await sleep(forMs);
  await call(`${adminUrl}/v1/regions/${replica}/undrain`, { reason: "chaos" });
}

/** Wall clocks of the edges, one after the other, this far off. */
function clocksApart(offsetsMs: readonly number[]): ChaosFault["run"] {
  return async (stage, _chance, forMs) => {
    const set = (offsets: readonly number[]) =>
      Promise.all(stage.edges.map((edge, index) => stage.setClock(edge, offsets[index] ?? 0)));
    await set(offsetsMs);
    await sleep(forMs);
    await set([]);
  };
}

function inWorld(broken: string, which: "writer" | "replica", healed: string): ChaosFault["run"] {
  return async (stage, _chance, forMs) => {
    const region = stage[which];
    await stage.world.order({ act: broken, region });
    await sleep(forMs);
    await stage.world.order({ act: healed, region });
  };
}
