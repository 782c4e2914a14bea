import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Say } from "./growth-cost.ts";
import { beforeRedis, type OwnRedis, type Size } from "./growth-redis.ts";
import type { Options } from "./options.ts";
import { Running } from "./process.ts";
import type { Table } from "./report.ts";
import { redisCommand, type Stage } from "./stage.ts";
import { startMeridian } from "./subjects.ts";

const EDGES = [1, 8, 64];
/** What one takes of the memory that is left, generously; it may be used up to a half. */
const MIB_OF_ONE = 200;
/** More would have nothing left of the one core that they share with the load, the regions and Redis. */
const MOST_REAL = 7;
const SEEN_WITHIN_MS = 30_000;

/**
 * Strict edges, each in a fleet of so many on a Redis of its own. The others have no clients: they report, listen and
 * follow. They are edges as far as the machine goes, and from there on what an edge does on Redis, without the rest of it.
 */
export async function edgeSeries(stage: Stage, options: Options, say: Say): Promise<readonly Table[]> {
  const others: Running[] = [];
  const mostReal = Math.min(MOST_REAL, Math.floor(availableMiB() / 2 / MIB_OF_ONE));
  const sizes = EDGES.map((count): Size => {
    const real = Math.min(count - 1, mostReal);
    const simulated = count - 1 - real;
    return {
      label: simulated === 0 ? `${count}` : `${count}, ${simulated} of them simulated`,
      before: async () => undefined,
      beside: async (on) => {
        for (let nth = 1; nth <= real; nth += 1) others.push(await realEdge(on, nth));
        if (simulated > 0) others.push(simulatedEdges(on, simulated));
        await untilSeen(on, count);
      },
    };
  });
  try {
    return await beforeRedis(stage, options, say, "edges on one Redis", sizes);
  } finally {
    await Promise.all(others.map((each) => each.stop()));
  }
}

function realEdge({ stage, namespace }: OwnRedis, nth: number): Promise<Running> {
  const ports = { http: stage.nextPort(), tls: stage.nextPort() };
  const cores = { ...stage.cores, subject: stage.cores.rest };
  const setup = { name: `${namespace}-${nth}`, namespace, pinnedBy: "redis", settings: {} } as const;
  return startMeridian({ ...stage, cores }, ports, setup);
}

function simulatedEdges({ stage, namespace }: OwnRedis, count: number): Running {
  const { directory, cores, redis } = stage;
  const file = path.join(import.meta.dirname, "simulated-edges.ts");
  const command = [process.execPath, file, `${redis}`, namespace, `${count}`];
  return new Running({ name: `simulated-${namespace}`, command, core: cores.rest, directory });
}

/** Resolves when so many edges have said something of themselves. */
async function untilSeen({ stage, namespace }: OwnRedis, count: number): Promise<void> {
  const deadlineMs = performance.now() + SEEN_WITHIN_MS;
  for (;;) {
    const fields = await redisCommand(stage.redis, `HKEYS ${namespace}:topology`);
    const seen = fields.split("\r\n").filter((line) => line.startsWith("edge:")).length;
    if (seen >= count) return;
    if (performance.now() > deadlineMs) throw new Error(`only ${seen} of ${count} edges are there`);
    await sleep(200);
  }
}

function availableMiB(): number {
  return Number(/^MemAvailable: +(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 1_024;
}
