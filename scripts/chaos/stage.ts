import path from "node:path";
import { stringify } from "yaml";
import { freePort } from "../../test/support/ports.ts";
import { type RedisServer, startRedis } from "../../test/support/redis.ts";
import type { Mode } from "./checker.ts";
import { Child } from "./child.ts";
import type { ClockOffset, WorldRecord } from "./history.ts";
import { Link } from "./link.ts";
import { nowMs } from "./monotonic.ts";

export const SECRET = "a-secret-that-only-chaos-uses";
/** Longer than any replica lags before the lag gate notices: the largest lag let through, and one probe. */
export const GRACE_WINDOW_MS = 3_000;
export const STALENESS_MS = 500;
export const RESPONSE_TIMEOUT_MS = 4_000;
export const REGIONS = ["us-east", "eu-west", "ap-south"] as const;
const [FIRST_WRITER] = REGIONS;

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
  /** With as many edges again in mode `off`, beside the others, to measure against. */
  readonly baseline?: boolean;
}

/** An edge, as a process that comes and goes; its address stays. */
export interface EdgeOnStage {
  readonly id: string;
  /** Where it sends who may go anywhere. */
  readonly nearest: string;
  readonly httpUrl: string;
  readonly adminUrl: string;
  readonly redis: Link;
  readonly yaml: string;
  process: Child | null;
  /** What its wall clock is off by, and since when. */
  clock: Omit<ClockOffset, "toMs">;
}

/** Everything a chaos run is played on. */
export class Stage {
  readonly world: Child;
  readonly edges: readonly EdgeOnStage[];
  /** In mode `off`; nothing is judged there, and no fault is an edge's own. */
  readonly baseline: readonly EdgeOnStage[];
  redis: RedisServer;
  /** The region that writes. */
  writer: string = FIRST_WRITER;
  /** As far as they are over, see {@link clocks}. */
  readonly #pastClocks: ClockOffset[] = [];
  /** Raised when Redis may have lost something that it had. */
  redisLives = 0;
  /** The fault that was begun last. */
  phase = "calm";
  /** Share of requests that their client leaves. */
  abortShare = 0.015;
  readonly #pins: string;

  private constructor(
    redis: RedisServer,
    world: Child,
    fleets: readonly [edges: readonly EdgeOnStage[], baseline: readonly EdgeOnStage[]],
    pins: string,
  ) {
    this.redis = redis;
    this.world = world;
    [this.edges, this.baseline] = fleets;
    this.#pins = pins;
  }

  static async set({ seed, mode, pins, baseline = false }: StageOptions): Promise<Stage> {
    const redis = await startRedis({ aged: true });
    const { child: world, ready } = await Child.start(fileOf("world.ts"), [`${seed}`]);
    const urls = ready as Readonly<Record<string, string>>;
    const place = (prefix: string, edgeMode: Mode) =>
      Promise.all(
        EDGES.map((_, index) => placeEdge(`${prefix}-${index + 1}`, index, edgeMode, redis.port, urls)),
      );
    const fleets = [await place("edge", mode), baseline ? await place("off", "off") : []] as const;
    const stage = new Stage(redis, world, fleets, pins);
    await Promise.all(stage.everyEdge.map((edge) => stage.startEdge(edge)));
    return stage;
  }

  get everyEdge(): readonly EdgeOnStage[] {
    return [...this.edges, ...this.baseline];
  }

  /** A region that does not write now. */
  get replica(): string {
    return this.writer === "eu-west" ? FIRST_WRITER : "eu-west";
  }

  async startEdge(edge: EdgeOnStage): Promise<void> {
    const { child } = await Child.start(fileOf("edge.ts"), [edge.yaml, this.#pins]);
    edge.process = child;
  }

  async endEdge(edge: EdgeOnStage, signal: NodeJS.Signals): Promise<void> {
    await edge.process?.end(signal);
    edge.process = null;
  }

  /** Sets an edge's wall clock this far off. */
  async setClock(edge: EdgeOnStage, offsetMs: number): Promise<void> {
    const fromMs = nowMs();
    await edge.process?.order({ act: "clock", ms: offsetMs });
    this.#pastClocks.push({ ...edge.clock, toMs: nowMs() });
    edge.clock = { edge: edge.id, offsetMs, fromMs };
  }

  /** What every edge's wall clock has been off by until now. */
  get clocks(): readonly ClockOffset[] {
    return [...this.#pastClocks, ...this.edges.map(({ clock }) => ({ ...clock, toMs: nowMs() }))];
  }

  async record(): Promise<WorldRecord> {
    return (await this.world.order({ act: "record" })) as WorldRecord;
  }

  async strike(): Promise<void> {
    await Promise.all(this.everyEdge.map((edge) => this.endEdge(edge, "SIGKILL")));
    await Promise.all(this.everyEdge.map(({ redis }) => redis.close()));
    await this.world.end("SIGTERM");
    await this.redis.stop();
  }
}

function fileOf(name: string): string {
  return path.join(import.meta.dirname, name);
}

async function placeEdge(
  id: string,
  index: number,
  mode: Mode,
  redisPort: number,
  urls: Readonly<Record<string, string>>,
): Promise<EdgeOnStage> {
  const { regions = [], redisMs = 0 } = EDGES[index] ?? {};
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
  const [nearest = "", clock] = [regions[0], { edge: id, offsetMs: 0, fromMs: nowMs() }];
  return { id, nearest, httpUrl, adminUrl, redis, yaml, process: null, clock };
}

function settings(mode: Mode) {
  return {
    secrets: [SECRET],
    health: { interval: "300ms", timeout: "250ms", rise: 2, fall: 3, maxLag: "1900ms" },
    routing: { policy: "priority", slowStart: "0ms" },
    consistency: { mode, graceWindow: `${GRACE_WINDOW_MS}ms`, staleness: `${STALENESS_MS}ms` },
    proxy: { responseTimeout: `${RESPONSE_TIMEOUT_MS}ms`, connectTimeout: "1s" },
    shutdown: { grace: "1s" },
    log: { level: "silent", access: "off" },
  };
}

function roleOf(region: string): "writer" | "replica" {
  return region === FIRST_WRITER ? "writer" : "replica";
}
