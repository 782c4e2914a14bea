import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { type EdgeProcess, startEdgeProcess } from "../../test/support/edge-process.ts";
import { type RedisServer, startRedis } from "../../test/support/redis.ts";
import { Child, type Order } from "../chaos/child.ts";
import { Link } from "../chaos/link.ts";
import { nowMs } from "../chaos/monotonic.ts";
import { quietPorts } from "./ports.ts";
import { edgeYaml, type FleetSettings, fleetFile, placesOf } from "./settings.ts";
import type { FailoverWorldRecord, WorldReady, WorldSetup } from "./world-record.ts";

const EDGES = ["edge-1", "edge-2", "edge-3"];
/** One way, of each edge. */
const REDIS_MS = [1, 3, 6];
/** One way, of each edge to the regions in the order of the file. */
const WAYS_MS = [
  [1, 8, 14],
  [8, 1, 11],
  [14, 11, 1],
];

/** None outlives the process that started it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** An edge, as a process; null when it is dead. */
export interface StagedEdge {
  readonly id: string;
  readonly redis: Link;
  readonly yaml: string;
  process: EdgeProcess | null;
  /** When it was killed last, by the clock of the machine. */
  killedAtMs: number;
}

/** Everything that a scenario is played on. */
export class Stage {
  readonly world: Child;
  readonly redis: RedisServer;
  readonly edges: readonly StagedEdge[];
  /** In the order of the file. */
  readonly regions: readonly string[];
  /** Where writes go at first; the first region where all write. */
  readonly firstWriter: string;

  private constructor(
    world: Child,
    redis: RedisServer,
    edges: readonly StagedEdge[],
    regions: readonly string[],
    firstWriter: string,
  ) {
    this.world = world;
    this.redis = redis;
    this.edges = edges;
    this.regions = regions;
    this.firstWriter = firstWriter;
  }

  static async set(settings: FleetSettings, seed: number): Promise<Stage> {
    const written = await fleetFile(settings);
    const { ids, writer } = placesOf(written);
    const setup: WorldSetup = {
      ...{ seed, writer, regions: ids },
      edges: EDGES.map((id, edge) => ({
        id,
        wayMs: Object.fromEntries(ids.map((region, index) => [region, WAYS_MS[edge]?.[index] ?? 0])),
      })),
    };
    const redis = await startRedis({ aged: true });
    const { child, ready } = await Child.start(fileOf("world.ts"), [JSON.stringify(setup)]);
    const { hookUrl, endpoints } = ready as WorldReady;
    const ports = await quietPorts(2 * EDGES.length);
    const place = async (id: string, index: number): Promise<StagedEdge> => {
      const link = await Link.to(redis.port, REDIS_MS[index] ?? 0);
      const redisUrl = `redis://127.0.0.1:${link.ownPort}`;
      const at = { id, redisUrl, hookUrl, endpoints: endpoints[id] ?? {} };
      const [http = 0, admin = 0] = ports.slice(2 * index);
      const yaml = edgeYaml(written, settings, { ...at, http, admin });
      return { id, redis: link, yaml, process: null, killedAtMs: Number.POSITIVE_INFINITY };
    };
    const edges = await Promise.all(EDGES.map(place));
    const stage = new Stage(child, redis, edges, ids, writer ?? ids[0] ?? "");
    await Promise.all(edges.map((edge) => stage.#start(edge))).catch(async (error: unknown) => {
      await stage.strike();
      throw error;
    });
    return stage;
  }

  async #start(edge: StagedEdge): Promise<void> {
    const started = await startEdgeProcess(edge.yaml);
    running.add(started.child);
    started.child.once("exit", () => running.delete(started.child));
    edge.process = started;
  }

  async kill(edge: StagedEdge): Promise<void> {
    const { process: killed } = edge;
    edge.killedAtMs = nowMs();
    edge.process = null;
    await killed?.kill();
  }

  get alive(): readonly StagedEdge[] {
    return this.edges.filter(({ process }) => process !== null);
  }

  edge(id: string): StagedEdge {
    const edge = this.edges.find((one) => one.id === id);
    if (edge === undefined) throw new Error(`no edge named ${id}`);
    return edge;
  }

  order(order: Order): Promise<unknown> {
    return this.world.order(order);
  }

  async record(): Promise<FailoverWorldRecord> {
    return (await this.order({ act: "record" })) as FailoverWorldRecord;
  }

  async strike(): Promise<void> {
    await Promise.all(this.edges.map(({ process }) => process?.kill()));
    await Promise.all(this.edges.map(({ redis }) => redis.close()));
    await this.world.end("SIGTERM");
    await this.redis.stop();
  }
}

function fileOf(name: string): string {
  return path.join(import.meta.dirname, name);
}
