import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { WebSocket, WebSocketServer } from "ws";
import { stringify } from "yaml";
import { Link } from "../../scripts/chaos/link.ts";
import { loadConfigFile } from "../../src/config/load.ts";
import { type Edge, startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Authority, type Issued } from "./certificates.ts";
import { DatabaseRegion, PromotionHook } from "./database.ts";
import { eventually } from "./eventually.ts";
import { PrometheusServer } from "./prometheus.ts";
import { startRedis } from "./redis.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });
/** How far each region is. */
const DELAYS_MS = { "us-east": 12, "eu-west": 2, "ap-south": 30 } as const;
type Region = keyof typeof DELAYS_MS;
const IDS = Object.keys(DELAYS_MS) as Region[];
const EDGES = ["edge-1", "edge-2", "edge-3"];
/** Few enough that they come again while their writes are on the way, and no multiple of the turn of a write. */
const USERS = 11;
const REPLICATION_MS = 50;

/** Three edges under traffic, three regions with a database, a Redis, and a real Prometheus that watches. */
export class WatchedFleet {
  readonly prometheus: PrometheusServer;
  readonly #stage: Stage;
  readonly #traffic: Clients;

  private constructor(prometheus: PrometheusServer, stage: Stage) {
    this.prometheus = prometheus;
    this.#stage = stage;
    this.#traffic = new Clients(stage.edges.map(({ httpUrl }) => httpUrl));
  }

  static async start(): Promise<WatchedFleet> {
    const stage = await startStage();
    const targets = stage.edges.map(({ adminUrl }, index) => [EDGES[index] ?? "", adminUrl] as const);
    return new WatchedFleet(await PrometheusServer.start(Object.fromEntries(targets)), stage);
  }

  async stop(): Promise<void> {
    await this.#traffic.stop();
    await this.prometheus.stop();
    for (const end of this.#stage.ends.toReversed()) await end();
  }

  /** What an operator and fate do to a fleet, each for `seconds` with as long a calm after it. */
  async live(seconds: number): Promise<void> {
    const pause = () => sleep(seconds * 1_000);
    const { regions, redis } = this.#stage;
    await pause();
    await this.#call("/v1/regions/eu-west/drain", { reason: "kernel update", deadline: "1h" });
    await pause();
    await this.#call("/v1/regions/eu-west/undrain", {});
    await pause();
    await regions.get("eu-west")?.shut();
    await pause();
    await regions.get("eu-west")?.reopen();
    await this.#allUp();
    await pause();
    await this.#call("/v1/write-region", { region: "ap-south", reason: "a switchover" });
    await pause();
    await this.#call("/v1/drills", {
      region: "eu-west",
      lasts: `${seconds}s`,
      abortAbove: { errorRatio: 0.5 },
      reason: "weekly",
    });
    await sleep(seconds * 1_000 + 1_500);
    await this.#allUp();
    await Promise.all(redis.map((link) => link.shut()));
    await pause();
    await Promise.all(redis.map((link) => link.reopen()));
    await this.#reloadBadly();
    await pause();
  }

  async #call(where: string, body: object): Promise<void> {
    const { edges } = this.#stage;
    const headers = { "content-type": "application/json" };
    await eventually(
      async () => {
        const answer = await request(`${edges[0]?.adminUrl}${where}`, {
          method: "POST",
          headers,
          body: JSON.stringify(body),
        });
        assert.equal(answer.statusCode, 200, await answer.body.text());
        await answer.body.dump();
      },
      { withinMs: 10_000 },
    );
  }

  #allUp(): Promise<boolean> {
    const isUp = ({ table }: Edge) => table.view.regions.every(({ health }) => health === "up");
    return eventually(() => this.#stage.edges.every(isUp), { withinMs: 15_000 });
  }

  /** The file is bad for a moment. */
  async #reloadBadly(): Promise<void> {
    const { edges, file } = this.#stage;
    await writeFile(file, "regions: nonsense\n");
    const answer = await request(`${edges[2]?.adminUrl}/v1/config/reload`, { method: "POST" });
    await answer.body.dump();
    assert.notEqual(answer.statusCode, 200);
  }
}

interface Stage {
  readonly edges: readonly Edge[];
  /** The ways to the regions, and of the edges to Redis. */
  readonly regions: ReadonlyMap<string, Link>;
  readonly redis: readonly Link[];
  /** The configuration of the third edge. */
  readonly file: string;
  readonly ends: readonly (() => unknown)[];
}

async function startStage(): Promise<Stage> {
  const ends: (() => unknown)[] = [];
  const redis = await startRedis({ aged: true });
  ends.push(() => redis.stop());
  // A memory that is old enough to be believed.
  await redis.command("HSET meridian:topology rev 1 bornMs 0 epoch 1 writer us-east mode rw");
  const databases = IDS.map((id) => new DatabaseRegion(id, id === "us-east"));
  const replication = setInterval(() => replicate(databases), REPLICATION_MS);
  ends.push(() => clearInterval(replication));
  const hook = new PromotionHook(databases);
  const url = await hook.start();
  ends.push(() => hook.stop());
  const regions = new Map<string, Link>();
  for (const { id, scripted } of databases) {
    await scripted.start();
    acceptWebSockets(scripted.server);
    ends.push(() => scripted.stop());
    const link = await Link.to(Number(new URL(scripted.url).port), DELAYS_MS[id as Region]);
    ends.push(() => link.close());
    regions.set(id, link);
  }
  const authority = await Authority.create();
  ends.push(() => authority.remove());
  const certificate = await authority.issue({ days: 60 });
  const directory = await mkdtemp(path.join(tmpdir(), "meridian-watched-"));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  const edges: Edge[] = [];
  const links: Link[] = [];
  let file = "";
  for (const id of EDGES) {
    const link = await Link.to(redis.port, 0);
    ends.push(() => link.close());
    links.push(link);
    file = path.join(directory, `${id}.yaml`);
    await writeFile(
      file,
      stringify(configOf(id, { redisPort: link.ownPort, hook: url, regions, certificate })),
    );
    const loaded = await loadConfigFile(file, {});
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const edge = await startEdge({ config: loaded.config, log: SILENT, configFile: file });
    ends.push(() => edge.stop(0));
    edges.push(edge);
  }
  return { edges, regions, redis: links, file, ends };
}

/** The replicas have what the writer had a moment ago. */
function replicate(databases: readonly DatabaseRegion[]): void {
  const { position = 0 } = databases.find(({ writer }) => writer) ?? {};
  for (const database of databases) if (!database.writer) database.position = position;
}

interface Surroundings {
  readonly redisPort: number;
  readonly hook: string;
  readonly regions: ReadonlyMap<string, Link>;
  readonly certificate: Issued;
}

function configOf(id: string, { redisPort, hook, regions, certificate }: Surroundings): object {
  const { certFile, keyFile } = certificate;
  const entries = [...regions].map(([name, { ownPort }]) => [
    name,
    { role: name === "us-east" ? "writer" : "replica", endpoints: [`http://127.0.0.1:${ownPort}`] },
  ]);
  return {
    edge: { id },
    listen: {
      http: { host: "127.0.0.1", port: 0 },
      https: { host: "127.0.0.1", port: 0, certFile, keyFile },
    },
    admin: { port: 0 },
    secrets: ["a-secret-that-only-tests-use"],
    redis: { url: `redis://127.0.0.1:${redisPort}` },
    regions: Object.fromEntries(entries),
    routing: { slowStart: "0ms", nearness: { dwell: "500ms" } },
    health: { interval: "300ms", timeout: "250ms", fall: 2 },
    failover: { hook: { url: hook } },
    consistency: { graceWindow: "2s" },
    proxy: { connectTimeout: "300ms" },
    limits: { overload: { eventLoopDelay: "0ms" } },
    shutdown: { grace: "1s" },
  };
}

function acceptWebSockets(server: DatabaseRegion["scripted"]["server"]): void {
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (client) => client.on("error", () => client.terminate()));
}

/** Readers and writers with a session each, and a WebSocket at each edge. */
class Clients {
  readonly #urls: readonly string[];
  readonly #agent = new Agent({ connections: 32 });
  /** Each user's, by their names. */
  readonly #cookies = new Map<string, Map<string, string>>();
  readonly #pending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #sockets = new Map<string, WebSocket>();
  #next = 0;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
    this.#timer = setInterval(() => this.#tick(), 25);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const socket of this.#sockets.values()) socket.terminate();
    await Promise.all(this.#pending);
    await this.#agent.destroy();
  }

  #tick(): void {
    const index = this.#next++;
    const url = this.#urls[index % this.#urls.length] ?? "";
    const sending = this.#send(url, `user-${(index * 7) % USERS}`, index % 5 === 0)
      .catch(() => {})
      .finally(() => this.#pending.delete(sending));
    this.#pending.add(sending);
    this.#keepSocket(url);
  }

  async #send(url: string, user: string, writes: boolean): Promise<void> {
    const own = this.#cookies.get(user) ?? new Map<string, string>();
    this.#cookies.set(user, own);
    const cookie = [...own.values()].join("; ");
    const answer = await request(`${url}/page`, {
      method: writes ? "POST" : "GET",
      headers: { authorization: user, ...(cookie === "" ? {} : { cookie }) },
      dispatcher: this.#agent,
    });
    await answer.body.dump();
    for (const set of [answer.headers["set-cookie"] ?? []].flat()) {
      const [pair = ""] = set.split(";", 1);
      own.set(pair.split("=", 1)[0] ?? "", pair);
    }
  }

  #keepSocket(url: string): void {
    if (this.#sockets.has(url)) return;
    const socket = new WebSocket(url.replace("http", "ws"));
    this.#sockets.set(url, socket);
    socket.on("error", () => socket.terminate());
    socket.on("close", () => setTimeout(() => this.#sockets.delete(url), 500).unref());
  }
}
