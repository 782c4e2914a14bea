import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { RedisPinStore } from "../src/consistency/redis.ts";
import { connectRedis } from "../src/redis.ts";
import type { Say } from "./growth-cost.ts";
import { beforeRedis, type OwnRedis } from "./growth-redis.ts";
import { newPid } from "./new-pid.ts";
import type { Options } from "./options.ts";
import type { Cores } from "./process.ts";
import type { Table } from "./report.ts";
import type { Stage } from "./stage.ts";

const run = promisify(execFile);

const PINS: readonly number[] = [0, 10_000, 1_000_000];

/** None ends before it is measured. */
const LIFE_MS = 3_600_000;
const AT_ONCE = 2_000;
const COMMAND_TIMEOUT_MS = 60_000;

/** Strict edges, each before a Redis of its own that holds so many pins of others. */
export function pinSeries(stage: Stage, options: Options, say: Say): Promise<readonly Table[]> {
  const sizes = PINS.map((count) => ({
    label: `${count}`,
    before: ({ stage: { redis }, namespace }: OwnRedis) => fillPins(redis, namespace, count),
    beside: async () => undefined,
  }));
  return beforeRedis(stage, options, say, "pins in Redis", sizes);
}

/** Pins of users who never come, by the store that edges use. */
async function fillPins(redis: number, namespace: string, count: number): Promise<void> {
  const client = connectRedis(`redis://127.0.0.1:${redis}`, "bench", Math.random, COMMAND_TIMEOUT_MS);
  try {
    await new Promise((ready) => client.once("ready", ready));
    const store = new RedisPinStore(client, namespace, () => false);
    for (let done = 0; done < count; done += AT_ONCE) {
      const pids = Array.from({ length: Math.min(AT_ONCE, count - done) }, newPid);
      await Promise.all(pids.map((pid, nth) => store.begin([pid], `bench.${done + nth}`, LIFE_MS)));
    }
  } finally {
    client.disconnect();
  }
}

/** What a pin that an edge holds itself costs; each size in a process of its own. */
export async function localPins({ subject }: Cores): Promise<Table> {
  const file = path.join(import.meta.dirname, "local-pins.ts");
  const rows: string[][] = [];
  for (const count of PINS) {
    const command = ["-c", subject, process.execPath, "--expose-gc", file, `${count}`];
    const { stdout } = await run("taskset", command);
    const { bytesPerPin, beginNs, readNs } = JSON.parse(stdout) as Record<string, number | null>;
    rows.push([`${count}`, ...[bytesPerPin, beginNs, readNs].map((each) => each?.toFixed(0) ?? "")]);
  }
  return [["local pins", "bytes each", "ns to begin one", "ns to look one up"], ...rows];
}
