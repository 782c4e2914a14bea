import { costs, type Say, type Variant } from "./growth-cost.ts";
import type { Options } from "./options.ts";
import { Running } from "./process.ts";
import type { Table } from "./report.ts";
import { shapeOf } from "./shapes.ts";
import { type Stage, untilAccepts } from "./stage.ts";
import { type Subject, startMeridian } from "./subjects.ts";

/** One size of a series before Redis. */
export interface Size {
  readonly label: string;
  /** What is there before the edge that is measured. */
  before(on: OwnRedis): Promise<void>;
  /** What comes beside it. */
  beside(on: OwnRedis): Promise<void>;
}

export interface OwnRedis {
  readonly stage: Stage;
  readonly namespace: string;
}

/** What a request costs a strict edge at each size, each before a Redis of its own. */
export async function beforeRedis(
  stage: Stage,
  options: Options,
  say: Say,
  what: string,
  sizes: readonly Size[],
): Promise<readonly Table[]> {
  const servers: Running[] = [];
  const variants = sizes.map(({ label, before, beside }, nth): Variant => {
    const name = `before-${nth}`;
    const start: Subject["start"] = async (shared, ports) => {
      const own = { stage: { ...shared, redis: shared.nextPort() }, namespace: name };
      servers[nth] = await startRedis(own);
      await before(own);
      const identity = [{ header: "authorization" }];
      const settings = { consistency: { mode: "strict", identity }, log: { access: "off" } };
      const edge = await startMeridian(own.stage, ports, { name, pinnedBy: "redis", settings });
      await beside(own);
      return edge;
    };
    const subject = { name, job: "pins", pinnedBy: "redis", needs: [], lacks: [], start } as const;
    return { label, subject, shape: shapeOf("100b", options), redis: () => servers[nth] ?? null };
  });
  try {
    return await costs(stage, options, say, what, variants);
  } finally {
    await Promise.all(servers.map((each) => each.stop()));
  }
}

async function startRedis({ stage: { redis, cores, directory }, namespace }: OwnRedis): Promise<Running> {
  const args = ["--port", `${redis}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const command = ["redis-server", ...args];
  const server = new Running({ name: `redis-${namespace}`, command, core: cores.rest, directory });
  await untilAccepts(redis);
  return server;
}
