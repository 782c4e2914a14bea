import { once } from "node:events";
import { createServer } from "node:net";
import { systemClock } from "../clock.ts";
import { formatProblem, parseConfig } from "../config/load.ts";
import { type Edge, startEdge } from "../edge.ts";
import { createLogger } from "../observe/log.ts";
import { WorldControl } from "./control.ts";
import { type DemoPorts, demoYaml } from "./demo-config.ts";
import { RecentTraffic } from "./recent-traffic.ts";
import type { RegionSetup } from "./simulated-region.ts";
import { SimulatedWorld } from "./simulated-world.ts";
import type { DemoView } from "./table.ts";
import { Visitors } from "./visitors.ts";

/** As seen from an edge in Europe. */
const REGIONS: readonly RegionSetup[] = [
  { id: "us-east", role: "writer", delayMs: 80, location: [39, -77.5] },
  { id: "eu-west", role: "replica", delayMs: 15, lagMs: 600, location: [53.3, -6.3] },
  { id: "ap-south", role: "replica", delayMs: 140, lagMs: 1_500, location: [19.1, 72.9] },
];
const VISITORS = 24;
const THINK_MS = 700;
const WRITE_SHARE = 0.06;

/** Everything that plays in the demo: regions, an edge in front of them, visitors, and what they have seen. */
export class Stage {
  readonly world: SimulatedWorld;
  readonly edge: Edge;
  readonly visitors: Visitors;
  readonly controlUrl: string;
  readonly #control: WorldControl;
  readonly #pinStore: DemoView["pinStore"];
  readonly #traffic = new RecentTraffic(systemClock);
  readonly #startedMs = systemClock.now();

  private constructor(parts: {
    world: SimulatedWorld;
    control: WorldControl;
    controlUrl: string;
    edge: Edge;
    redisUrl: string | null;
  }) {
    this.world = parts.world;
    this.edge = parts.edge;
    this.controlUrl = parts.controlUrl;
    this.#control = parts.control;
    this.#pinStore = parts.redisUrl === null ? "this process" : "redis";
    this.visitors = new Visitors({
      url: this.edge.httpUrl,
      count: VISITORS,
      thinkMs: THINK_MS,
      writeShare: WRITE_SHARE,
      chance: Math.random,
    });
    this.edge.events.on("requestDone", ({ region }) => region !== null && this.#traffic.add(region));
  }

  /** Resolves when the edge routes; the visitors wait outside until they are started. */
  static async set(wanted: DemoPorts, redisUrl: string | null): Promise<Stage> {
    const world = await SimulatedWorld.start(REGIONS);
    const control = new WorldControl(world);
    const controlUrl = await control.listen(0);
    try {
      const ports = { port: await freeOr(wanted.port), adminPort: await freeOr(wanted.adminPort) };
      const edge = await startDemoEdge(
        demoYaml(world, ports, { redisUrl, hookUrl: `${controlUrl}/promote` }),
      );
      return new Stage({ world, control, controlUrl, edge, redisUrl });
    } catch (error) {
      await Promise.all([control.stop(), world.stop()]);
      throw error;
    }
  }

  view(picked: string, events: readonly string[]): DemoView {
    const { tally } = this.visitors;
    const { nearest } = this.edge.table.view;
    return {
      edgeUrl: this.edge.httpUrl,
      adminUrl: this.edge.adminUrl,
      controlUrl: this.controlUrl,
      pinStore: this.#pinStore,
      uptimeSeconds: Math.floor((systemClock.now() - this.#startedMs) / 1_000),
      regions: this.#rows(),
      nearest: nearest.find(({ health, admission }) => health === "up" && admission === "open")?.id ?? null,
      picked,
      pinsActive: this.edge.pins.activeCount(),
      reads: tally.reads,
      writes: tally.writes,
      staleReads: tally.staleReads,
      errors: tally.errors,
      reasons: tally.byReason,
      events,
    };
  }

  async clear(): Promise<void> {
    await this.visitors.stop();
    await this.edge.stop();
    await Promise.all([this.#control.stop(), this.world.stop()]);
  }

  #rows(): DemoView["regions"] {
    const rates = this.#traffic.rates();
    const totalRate = [...rates.values()].reduce((sum, rate) => sum + rate, 0);
    return this.edge.table.status().map((region) => ({
      ...region,
      requestsPerSecond: rates.get(region.id) ?? 0,
      share: totalRate === 0 ? 0 : (rates.get(region.id) ?? 0) / totalRate,
    }));
  }
}

async function startDemoEdge(yaml: string): Promise<Edge> {
  const loaded = parseConfig(yaml, {});
  if (!loaded.ok) throw new Error(loaded.problems.map((found) => formatProblem("demo", found)).join("\n"));
  return startEdge({ config: loaded.config, log: createLogger({ level: "silent", edge: "demo" }) });
}

/** The port that was asked for, or 0 when somebody else has it. */
async function freeOr(port: number): Promise<number> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return 0;
  }
  server.close();
  await once(server, "close");
  return port;
}
