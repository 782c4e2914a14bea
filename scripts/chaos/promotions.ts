import { setTimeout as sleep } from "node:timers/promises";
import { call } from "../admin-call.ts";
import { oneOf } from "./random.ts";
import { type EdgeOnStage, REGIONS, type Stage } from "./stage.ts";

/** Into the time in which no edge sends writes, which is when an operator promotes the database. */
const PROMOTED_AFTER_MS = 800;
/** When every edge knows that the write region moves: replicas that are ahead of the new one are rewound only then. */
const KNOWN_AFTER_MS = 2_200;
/** Between the loss of the writer and the operator's decision. */
const GONE_FOR_MS = 1_000;

/** Another region becomes the write region, and has everything. */
export async function promote(stage: Stage, chance: () => number): Promise<void> {
  await promoteThrough(oneOf(stage.edges, chance), anotherRegion(stage, chance), stage);
}

/** The same while one edge is cut off from Redis, and cannot learn of it until later. */
export async function promoteBehindAnEdge(stage: Stage, chance: () => number, forMs: number): Promise<void> {
  const stale = oneOf(stage.edges, chance);
  const others = stage.edges.filter((edge) => edge !== stale);
  stale.redis.cut();
  await promoteThrough(oneOf(others, chance), anotherRegion(stage, chance), stage);
  await sleep(forMs / 2);
  stale.redis.mend();
}

/** The write region is lost with what no replica has of it, another takes its place, and it comes back as a replica. */
export async function promoteLossy(stage: Stage, chance: () => number, forMs: number): Promise<void> {
  const [lost, region] = [stage.writer, anotherRegion(stage, chance)];
  await stage.world.order({ act: "sever", region: lost });
  await sleep(GONE_FOR_MS);
  const promoted = async () => {
    await sleep(KNOWN_AFTER_MS);
    await stage.world.order({ act: "promote", region });
  };
  await Promise.all([moveWriteRegion(oneOf(stage.edges, chance), region, true), promoted()]);
  stage.writer = region;
  await sleep(forMs / 4);
  await stage.world.order({ act: "revive", region: lost });
}

async function promoteThrough(edge: EdgeOnStage, region: string, stage: Stage): Promise<void> {
  await stage.world.order({ act: "hand-over", region });
  const promoted = async () => {
    await sleep(PROMOTED_AFTER_MS);
    await stage.world.order({ act: "promote", region });
  };
  await Promise.all([moveWriteRegion(edge, region, false), promoted()]);
  stage.writer = region;
}

function moveWriteRegion({ adminUrl }: EdgeOnStage, region: string, force: boolean): Promise<void> {
  return call(`${adminUrl}/v1/write-region`, { region, reason: "chaos", force });
}

function anotherRegion({ writer }: Stage, chance: () => number): string {
  return oneOf(
    REGIONS.filter((region) => region !== writer),
    chance,
  );
}
