import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { PassThrough } from "node:stream";
import type { TestContext } from "node:test";
import { Client, type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import { DatabaseRegion, PromotionHook } from "./database.ts";
import { type EdgeProcess, startEdgeProcess } from "./edge-process.ts";
import { eventually } from "./eventually.ts";
import { type RedisServer, startRedis } from "./redis.ts";

export const EDGE = "edge-of-two";
const CLIENTS_TRIED = 64;

export interface Stage {
  readonly edge: EdgeProcess;
  readonly redis: RedisServer;
  /** The writer. */
  readonly us: DatabaseRegion;
  /** Where reads go that nothing holds back. */
  readonly eu: DatabaseRegion;
  readonly hook: PromotionHook;
  readonly probes: { of: Record<string, number> };
}

/** What is read of a configuration here, and more. */
interface Config {
  readonly regions: Readonly<
    Record<string, { readonly role: string; readonly endpoints: readonly string[] }>
  >;
  readonly [key: string]: unknown;
}

/** How its process is started, and the Redis that it has instead of one of its own. */
type Options = Parameters<typeof startEdgeProcess>[1] & { readonly redis?: RedisServer };

/** An edge with two workers, and the Redis of its own that they need. */
export async function startWorkers(
  t: TestContext,
  { regions, ...more }: Config,
  { redis: given, ...process }: Options = {},
): Promise<{ readonly edge: EdgeProcess; readonly redis: RedisServer }> {
  const redis = given ?? (await startRedis({ aged: true }));
  t.after(() => redis.stop());
  const writer = Object.keys(regions).find((id) => regions[id]?.role === "writer");
  await redis.command(`HSET meridian:topology rev 1 bornMs 0 epoch 1 writer ${writer} mode rw`);
  const edge = await startEdgeProcess(
    stringify({
      edge: { id: EDGE },
      secrets: ["a-secret-that-only-tests-use"],
      workers: 2,
      listen: { http: { host: "127.0.0.1", port: 0 } },
      admin: { port: 0 },
      redis: { url: redis.url },
      regions,
      routing: { policy: "priority", slowStart: "0ms" },
      health: { interval: "1s", timeout: "900ms", fall: 2 },
      consistency: { graceWindow: "20s" },
      proxy: { responseTimeout: "20s", connectTimeout: "500ms" },
      shutdown: { grace: "5s" },
      limits: { overload: { eventLoopDelay: "0ms" } },
      ...more,
    }),
    process,
  );
  t.after(() => edge.kill());
  return { edge, redis };
}

/** Two regions with databases behind it, of which the one that reads go to is not the writer. */
export async function stage(t: TestContext, more: object = {}, options: Options = {}): Promise<Stage> {
  const regions = [new DatabaseRegion("eu", false), new DatabaseRegion("us", true)] as const;
  const probes: Stage["probes"] = { of: { eu: 0, us: 0 } };
  for (const { id, scripted } of regions) {
    const { health } = scripted;
    scripted.health = () => {
      probes.of[id] = (probes.of[id] ?? 0) + 1;
      return health?.() ?? {};
    };
    await scripted.start();
    t.after(() => scripted.stop());
  }
  const hook = new PromotionHook(regions);
  const url = await hook.start();
  t.after(() => hook.stop());
  const [eu, us] = regions;
  const { edge, redis } = await startWorkers(
    t,
    {
      regions: {
        eu: { role: "replica", endpoints: [eu.scripted.url] },
        us: { role: "writer", endpoints: [us.scripted.url] },
      },
      failover: { hook: { url, token: "hook-token" } },
      ...more,
    },
    options,
  );
  return { edge, redis, us, eu, hook, probes };
}

export interface LogLine {
  readonly msg: string;
  readonly worker?: number;
  readonly requestId?: string;
  readonly why?: string;
  readonly what?: string;
  readonly againInMs?: number;
  readonly pid?: number;
}

export function logLines(edge: EdgeProcess): readonly LogLine[] {
  const whole = edge.logs().split("\n").slice(0, -1);
  return whole.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

export async function workerOf(edge: EdgeProcess, requestId: unknown): Promise<number> {
  let worker: number | undefined;
  await eventually(() => {
    worker = logLines(edge).find((line) => line.msg === "request" && line.requestId === requestId)?.worker;
    return worker !== undefined;
  });
  return worker ?? 0;
}

/** One kept connection to each of the two workers. */
export async function connections(t: TestContext, edge: EdgeProcess): Promise<readonly [Client, Client]> {
  const found = new Map<number, Client>();
  for (let tried = 0; found.size < 2 && tried < CLIENTS_TRIED; tried += 1) {
    const client = new Client(edge.httpUrl, { pipelining: 1 });
    t.after(() => client.destroy());
    const answer = await client.request({ method: "GET", path: "/" });
    await answer.body.dump();
    const worker = await workerOf(edge, answer.headers["x-request-id"]);
    if (!found.has(worker)) found.set(worker, client);
  }
  const [one, two] = [found.get(1), found.get(2)];
  assert.ok(one && two, `only the workers ${[...found.keys()]} answered ${CLIENTS_TRIED} connections`);
  return [one, two];
}

/** Region and reason. Who is nobody needs no look-up of a pin, and is answered the same when Redis is slow for a moment. */
export async function ask(client: Client, method: Dispatcher.HttpMethod, user?: string): Promise<string> {
  const headers = user === undefined ? {} : { authorization: `Bearer ${user}` };
  const answer = await client.request({ method, path: "/thing", headers });
  await answer.body.dump();
  return `${answer.headers["x-meridian-region"]} ${answer.headers["x-meridian-reason"]}`;
}

/** A write that goes on until it is told to end. */
export function openWrite(client: Client, user?: string) {
  const body = new PassThrough();
  const headers = user === undefined ? {} : { authorization: `Bearer ${user}` };
  body.write("a");
  const answered = client
    .request({ method: "POST", path: "/long", body, headers })
    .then(async ({ statusCode, body: answer }) => {
      await answer.dump();
      return statusCode;
    })
    .catch((error: NodeJS.ErrnoException) => error.code ?? error.name);
  return { answered, end: () => body.end("b") };
}

export async function call(edge: EdgeProcess, method: "GET" | "POST", path: string, body?: object) {
  const answer = await request(`${edge.adminUrl}${path}`, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any shape, which the test then looks into
  return { status: answer.statusCode, json: (await answer.body.json()) as any };
}

/** Writes under way in each worker, as the fleet knows them. */
export async function writesUnderWay(edge: EdgeProcess): Promise<Readonly<Record<string, number>>> {
  const { json } = await call(edge, "GET", "/v1/edges");
  const edges = json.edges as readonly { worker: number | null; writesUnderWay: number; live: boolean }[];
  return Object.fromEntries(
    edges.filter(({ worker }) => worker !== null).map((each) => [each.worker, each.writesUnderWay]),
  );
}

export async function metric(edge: EdgeProcess, series: string): Promise<number> {
  const { body } = await request(`${edge.adminUrl}/metrics`);
  const lines = (await body.text()).split("\n").filter((line) => line.startsWith(series));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

export function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

export function isThere(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}
