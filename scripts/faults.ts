import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import type { SimulatedWorld } from "../src/demo/simulated-world.ts";
import { Visitors } from "../src/demo/visitors.ts";
import { type EdgeProcess, startEdgeProcess } from "../test/support/edge-process.ts";
import { edgeYaml } from "../test/support/edge-yaml.ts";
import { type LoadReport, load } from "../test/support/load.ts";
import { type RedisServer, startRedis } from "../test/support/redis.ts";
import { startWorld } from "../test/support/world.ts";

/**
 * What clients see of each fault: 300 reads a second, and beside them users who write and look at once, while a region
 * or Redis is broken. Prints a line per fault. `npm run faults`; about two minutes.
 */
const RATE_PER_SECOND = 300;
const FAULT_AT_MS = 2_000;
const MEND_AT_MS = 7_000;
const DURATION_MS = 12_000;

interface Stage {
  readonly world: SimulatedWorld;
  readonly edge: EdgeProcess;
  readonly redis: RedisServer;
}

interface Fault {
  readonly name: string;
  readonly break: (stage: Stage) => unknown;
  readonly mend: (stage: Stage) => unknown;
}

const FAULTS: readonly Fault[] = [
  { name: "nothing", break: () => {}, mend: () => {} },
  {
    name: "kill the nearest region",
    break: ({ world }) => world.region("eu-west").kill(),
    mend: ({ world }) => world.region("eu-west").heal(),
  },
  {
    name: "black hole in the nearest region",
    break: ({ world }) => world.region("eu-west").blackhole(),
    mend: ({ world }) => world.region("eu-west").heal(),
  },
  {
    name: "nearest region 200 ms slower",
    break: ({ world }) => world.region("eu-west").slow(200),
    mend: ({ world }) => world.region("eu-west").heal(),
  },
  { name: "drain the nearest region", break: admission("drain"), mend: admission("undrain") },
  { name: "close the nearest region", break: admission("close"), mend: admission("undrain") },
  { name: "kill Redis", break: ({ redis }) => redis.kill(), mend: ({ redis }) => redis.restart() },
  { name: "pause Redis", break: ({ redis }) => redis.pause(), mend: ({ redis }) => redis.resume() },
  {
    name: "kill the write region",
    break: ({ world }) => world.region("us-east").kill(),
    mend: ({ world }) => world.region("us-east").heal(),
  },
];

/** The shipped defaults, but for a window and a dwell that fit into the run. */
const OVERRIDES = `
health: { interval: 2s, timeout: 1s, rise: 2, fall: 3, maxLag: 1500ms }
routing: { nearness: { dwell: 1s }, slowStart: 2s }
consistency: { graceWindow: 5s }
proxy: { responseTimeout: 2s }
log: { access: "off" }
`;

async function main(): Promise<void> {
  process.stdout.write(
    "fault                              reads  failed  last failed     p50     p99     max  served by                        users' reads/writes  their errors                 stale  said stale\n",
  );
  for (const fault of FAULTS) {
    const stage = await setStage();
    try {
      process.stdout.write(`${await under(fault, stage)}\n`);
    } finally {
      stage.redis.resume();
      await stage.edge.stop();
      await stage.world.stop();
      await stage.redis.stop();
    }
  }
}

async function setStage(): Promise<Stage> {
  const world = await startWorld({ lagMs: 800 });
  const redis = await startRedis({ aged: true });
  const yaml = stringify({ ...parse(edgeYaml(world, OVERRIDES)), redis: { url: redis.url } });
  return { world, redis, edge: await startEdgeProcess(yaml) };
}

async function under(fault: Fault, stage: Stage): Promise<string> {
  const { httpUrl } = stage.edge;
  const users = new Visitors({ url: httpUrl, count: 20, thinkMs: 200, writeShare: 0.2, chance: Math.random });
  users.start();
  const reads = load({
    url: (index) => `${httpUrl}/items/k${index % 50}`,
    headers: (index): Record<string, string> =>
      index % 2 === 0 ? { authorization: `Bearer reader-${index % 500}` } : {},
    ratePerSecond: RATE_PER_SECOND,
    durationMs: DURATION_MS,
  });
  await sleep(FAULT_AT_MS);
  await fault.break(stage);
  await sleep(MEND_AT_MS - FAULT_AT_MS);
  await fault.mend(stage);
  const report = await reads;
  await users.stop();
  return lineOf(fault, report, users);
}

function lineOf({ name }: Fault, report: LoadReport, { tally }: Visitors): string {
  const { sent, errors, lastErrorAtMs, p50Ms, p99Ms, maxMs, byRegion } = report;
  const last = lastErrorAtMs === null ? "-" : `+${((lastErrorAtMs - FAULT_AT_MS) / 1_000).toFixed(2)} s`;
  const times = [p50Ms, p99Ms, maxMs].map((ms) => `${ms.toFixed(0)} ms`.padStart(8)).join("");
  const served = Object.entries(byRegion)
    .map(([region, count]) => `${region} ${count}`)
    .join(", ");
  const failed = [...tally.errors].map(([kind, count]) => `${count} ${kind}`).join(", ") || "none";
  return [
    name.padEnd(33),
    String(sent).padStart(6),
    String(errors).padStart(8),
    last.padStart(13),
    times,
    `  ${served}`.padEnd(42),
    `${tally.reads}/${tally.writes}`.padEnd(12),
    failed.padEnd(36),
    String(tally.staleReads).padStart(3),
    String(tally.declaredStale).padStart(6),
  ].join("");
}

function admission(change: "drain" | "undrain" | "close"): Fault["break"] {
  return async ({ edge }) => {
    const answer = await fetch(`${edge.adminUrl}/v1/regions/eu-west/${change}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "fault run" }),
    });
    if (!answer.ok) throw new Error(`${change}: ${answer.status} ${await answer.text()}`);
  };
}

await main();
