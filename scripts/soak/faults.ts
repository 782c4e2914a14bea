import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { EdgeProcess } from "../../test/support/edge-process.ts";
import type { RedisServer } from "../../test/support/redis.ts";
import { call } from "../admin-call.ts";
import type { SoakTally } from "./soak-tally.ts";

/** What faults are done to. */
export interface Targets {
  readonly edge: EdgeProcess;
  readonly redis: RedisServer;
  /** The control server of the simulated regions. */
  readonly controlUrl: string;
}

/** Breaks something, and puts it right again before it resolves. */
type FaultScript = (targets: Targets) => Promise<void>;

const FAULTS: readonly (readonly [name: string, script: FaultScript])[] = [
  ["kill of eu-west", breaking("eu-west/kill", "eu-west/heal", 3_000)],
  ["pause of redis", pauseRedis],
  ["drain of eu-west", drain],
  ["slow eu-west", breaking("eu-west/slow?ms=150", "eu-west/heal", 4_000)],
  ["reload", reload],
  ["kill of us-east (writer)", breaking("us-east/kill", "us-east/heal", 3_000)],
  ["kill of redis", killRedis],
  ["black hole in ap-south", breaking("ap-south/blackhole", "ap-south/heal", 3_000)],
  ["frozen replication of eu-west", breaking("eu-west/freeze", "eu-west/thaw", 8_000)],
  ["black hole in eu-west", breaking("eu-west/blackhole", "eu-west/heal", 3_000)],
];

/** Names the rounds of faults that were gone through, in order. */
export async function rotateFaults(
  targets: Targets,
  tally: SoakTally,
  { calmMs, more }: { calmMs: number; more: () => boolean },
): Promise<readonly string[]> {
  const done: string[] = [];
  while (more()) {
    const [name, script] = FAULTS[done.length % FAULTS.length] ?? ["nothing", async () => undefined];
    tally.phase = name;
    await script(targets);
    done.push(name);
    // What a fault leaves behind (probes, slow start) still counts as the fault's.
    await sleep(calmMs / 2);
    tally.phase = "calm";
    await sleep(calmMs / 2);
  }
  return done;
}

function breaking(broken: string, healed: string, forMs: number): FaultScript {
  return async ({ controlUrl }) => {
    await call(`${controlUrl}/${broken}`, {});
    await sleep(forMs);
    await call(`${controlUrl}/${healed}`, {});
  };
}

async function drain({ edge }: Targets): Promise<void> {
  await call(`${edge.adminUrl}/v1/regions/eu-west/drain`, { reason: "soak" });
  await sleep(3_000);
  await call(`${edge.adminUrl}/v1/regions/eu-west/undrain`, { reason: "soak" });
}

async function pauseRedis({ redis }: Targets): Promise<void> {
  redis.pause();
  await sleep(1_000);
  redis.resume();
}

async function killRedis({ redis }: Targets): Promise<void> {
  await redis.kill();
  await sleep(2_000);
  await redis.restart();
}

/** Another weight each time, so that there is something to apply. */
async function reload({ edge }: Targets): Promise<void> {
  const before = await readFile(edge.configFile, "utf8");
  const weight = before.includes("weight: 90") ? 100 : 90;
  await writeFile(edge.configFile, before.replace(/weight: \d+/, `weight: ${weight}`));
  edge.child.kill("SIGHUP");
  await sleep(1_000);
}
