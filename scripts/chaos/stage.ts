import path from "node:path";
import { stringify } from "yaml";
import { freePort } from "../../test/support/ports.ts";
import { type RedisServer, startRedis } from "../../test/support/redis.ts";
import type { Mode } from "./checker.ts";
import { Child } from "./child.ts";
import type { Execution } from "./history.ts";
import { Link } from "./link.ts";

export const SECRET = "a-secret-that-only-chaos-uses";
/** Longer than any replica lags before the lag gate notices: the largest lag let through, and one probe. */
export const GRACE_WINDOW_MS = 3_000;
export const STALENESS_MS = 500;

/** Each edge has its own nearest region, and its own distance to Redis (one way). */
const EDGES = [
  { regions: ["us-east", "eu-west", "ap-south"], redisMs: 4 },
  { regions: ["eu-west", "ap-south", "us-east"], redisMs: 9 },
  { regions: ["ap-south", "eu-west", "us-east"], redisMs: 18 },
];

export interface StageOptions {
  readonly seed: number;
  readonly mode: Mode;
  /** See `mutants.ts`. */
  readonly pins: string;
}

/** An edge, as a process that comes and goes; its address stays. */
export interface EdgeOnStage {
  readonly id: string;
  readonly httpUrl: string;
  readonly adminUrl: string;
  readonly redis: Link;
  readonly yaml: string;
  process: Child | null;
}

/** Everything a chaos run is played on. */
export class Stage {
  readonly world: Child;
  readonly edges: readonly EdgeOnStage[];
  redis: RedisServer;
  /** Raised when Redis may have lost something that it had. */
  redisLives = 0;
  /** The fault that was begun last. */
  phase = "calm";
  /** Share of requests that their client leaves. */
  abortShare = 0.015;
  readonly #pins: string;

  private constructor(redis: RedisServer, world: Child, edges: readonly EdgeOnStage[], pins: string) {
    this.redis = redis;
    this.world = world;
    this.edges = edges;
    this.#pins = pins;
  }

  static async set({ seed, mode, pins }: StageOptions): Promise<Stage> {
    const redis = await startRedis({ aged: true });
    const { child: world, ready } = await Child.start(fileOf("world.ts"), [`${seed}`]);
    const urls = ready as Readonly<Record<string, string>>;
    const edges = await Promise.all(EDGES.map((_, index) => placeEdge(index, mode, redis.port, urls)));
    const stage = new Stage(redis, world, edges, pins);
    await Promise.all(edges.map((edge) => stage.startEdge(edge)));
    return stage;
  }

  async startEdge(edge: EdgeOnStage): Promise<void> {
    const { child } = await Child.start(fileOf("edge.ts"), [edge.yaml, this.#pins]);
    edge.process = child;
  }

  async endEdge(edge: EdgeOnStage, signal: NodeJS.Signals): Promise<void> {
    await edge.process?.end(signal);
    edge.process = null;
  }

  async ledger(): Promise<readonly Execution[]> {
    return (await this.world.order({ act: "ledger" })) as readonly Execution[];
  }

  async strike(): Promise<void> {
    await Promise.all(this.edges.map((edge) => this.endEdge(edge, "SIGKILL")));
    await Promise.all(this.edges.map(({ redis }) => redis.close()));
    await this.world.end("SIGTERM");
    await this.redis.stop();
  }
}

function fileOf(name: string): string {
  return path.join(import.meta.dirname, name);
}

async function placeEdge(
  index: number,
  mode: Mode,
  redisPort: number,
  urls: Readonly<Record<string, string>>,
): Promise<EdgeOnStage> {
  const { regions = [], redisMs = 0 } = EDGES[index] ?? {};
  const id = `edge-${index + 1}`;
  const redis = await Link.to(redisPort, redisMs);
  const [http, admin] = [await freePort(), await freePort()];
  const ordered = regions.map((region) => [region, { role: roleOf(region), endpoints: [urls[region]] }]);
  const yaml = stringify({
    edge: { id },
    listen: { http: { host: "127.0.0.1", port: http } },
    admin: { host: "127.0.0.1", port: admin },
    redis: { url: `redis://127.0.0.1:${redis.ownPort}` },
    regions: Object.fromEntries(ordered),
    ...settings(mode),
  });
  const [httpUrl, adminUrl] = [`http://127.0.0.1:${http}`, `http://127.0.0.1:${admin}`];
  return { id, httpUrl, adminUrl, redis, yaml, process: null };
}

function settings(mode: Mode) {
  return {
    secrets: [SECRET],
    health: { interval: "300ms", timeout: "250ms", rise: 2, fall: 3, maxLag: "1900ms" },
    routing: { policy: "priority", slowStart: "0ms" },
    consistency: { mode, graceWindow: `${GRACE_WINDOW_MS}ms`, staleness: `${STALENESS_MS}ms` },
    proxy: { responseTimeout: "4s", connectTimeout: "1s" },
    shutdown: { grace: "1s" },
    log: { level: "silent", access: "off" },
  };
}

function roleOf(region: string): "writer" | "replica" {
  return region === "us-east" ? "writer" : "replica";
}
