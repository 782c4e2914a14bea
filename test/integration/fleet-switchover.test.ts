import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import { Link } from "../../scripts/chaos/link.ts";
import { parseConfig } from "../../src/config/load.ts";
import { type Edge, startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import { DatabaseRegion, PromotionHook, promoteDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";

interface Stage {
  readonly us: DatabaseRegion;
  readonly eu: DatabaseRegion;
  readonly ap: DatabaseRegion;
  readonly hook: PromotionHook;
  readonly edges: readonly Edge[];
  /** The ways of the edges to Redis. */
  readonly links: readonly Link[];
  /** Redis loses what the fleet agreed on, and who is in it. */
  readonly forget: () => Promise<unknown>;
}

const IDS = ["us", "eu", "ap"] as const;
const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });

async function stage(t: TestContext, failover: object = {}, more: object = {}): Promise<Stage> {
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  // A memory that is old enough to be believed.
  await redis.command("HSET meridian:topology rev 1 bornMs 0 epoch 1 writer us mode rw");
  const regions = IDS.map((id) => new DatabaseRegion(id, id === "us"));
  for (const { scripted } of regions) {
    await scripted.start();
    t.after(() => scripted.stop());
  }
  const hook = new PromotionHook(regions);
  const url = await hook.start();
  t.after(() => hook.stop());
  const links = await Promise.all(IDS.map(() => Link.to(redis.port, 0)));
  for (const link of links) t.after(() => link.close());
  const start = async (id: string, port: number): Promise<Edge> => {
    const loaded = parseConfig(
      stringify({
        edge: { id },
        listen: { http: { host: "127.0.0.1", port: 0 } },
        admin: { port: 0 },
        secrets: ["a-secret-that-only-tests-use"],
        redis: { url: `redis://127.0.0.1:${port}` },
        regions: Object.fromEntries(
          regions.map(({ id: name, writer, scripted }) => [
            name,
            { role: writer ? "writer" : "replica", endpoints: [scripted.url] },
          ]),
        ),
        routing: { policy: "priority", slowStart: "0ms" },
        health: { interval: "200ms", timeout: "150ms", fall: 2 },
        failover: { hook: { url, token: "hook-token" }, ...failover },
        consistency: { graceWindow: "20s" },
        proxy: { responseTimeout: "3s" },
        ...more,
      }),
      {},
    );
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const edge = await startEdge({ config: loaded.config, log: SILENT });
    t.after(() => edge.stop(0));
    return edge;
  };
  const edges = await Promise.all(links.map(({ ownPort }, n) => start(`edge-${n}`, ownPort)));
  const [us, eu, ap] = regions as [DatabaseRegion, DatabaseRegion, DatabaseRegion];
  const forget = () => redis.command("DEL meridian:topology");
  return { us, eu, ap, hook, edges, links, forget };
}

async function ask(edge: Edge, method: Dispatcher.HttpMethod): Promise<string> {
  const answer = await request(`${edge.httpUrl}/thing`, {
    method,
    headers: { authorization: "Bearer alice" },
  });
  const text = await answer.body.text();
  if (text.startsWith("{")) return (JSON.parse(text) as { fault: string }).fault;
  return `${answer.headers["x-meridian-region"]} ${answer.headers["x-meridian-reason"]}`;
}

async function call(edge: Edge | undefined, method: "GET" | "POST", path: string, body?: object) {
  const answer = await request(`${edge?.adminUrl}${path}`, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any shape, which the test then looks into
  return { status: answer.statusCode, json: (await answer.body.json()) as any };
}

const move = (edge: Edge | undefined, body: object = {}) =>
  call(edge, "POST", "/v1/write-region", { region: "eu", reason: "a test", ...body });

const writersOf = (edges: readonly Edge[]) => edges.map((edge) => edge.table.view.writeRegion).join();

/** They mostly wait. */
describe("the write region of a fleet", { concurrency: 3 }, () => {
  test("a hook promotes the database of a planned move, and is told which move, epoch and position", async (t) => {
    const { us, eu, hook, edges } = await stage(t);
    assert.equal(await ask(edges[2] as Edge, "PUT"), "us write");
    eu.position = us.position;
    const written = us.at;
    const { status, json } = await move(edges[0]);
    assert.deepEqual(
      [status, json.after, json.promotedPosition],
      [200, { writeRegion: "eu", epoch: 2 }, eu.at],
    );
    const [told] = hook.calls;
    assert.equal(hook.calls.length, 1);
    assert.deepEqual(
      { ...told, move: typeof told?.move },
      {
        ...{
          move: "string",
          from: "us",
          to: "eu",
          epoch: 2,
          position: written,
          automatic: false,
          forced: false,
        },
        ...{ reason: "a test", by: "local", authorization: "Bearer hook-token" },
      },
    );
    await eventually(() => assert.equal(writersOf(edges), "eu,eu,eu"));
    for (const edge of edges) assert.equal(await ask(edge, "PUT"), "eu write");
  });

  test("a hook that fails leaves the writes where they were, and nothing is lost or refused", async (t) => {
    const { us, hook, edges } = await stage(t);
    hook.act = async () => {
      await sleep(300);
      return 500;
    };
    const moving = move(edges[0]);
    await eventually(() => edges.every((edge) => edge.table.view.moving));
    const writes = edges.map((edge) => ask(edge, "PUT"));
    const { status, json } = await moving;
    assert.deepEqual([status, json.fault], [409, "not_moved"]);
    assert.match(json.detail, /the hook answered 500: no/);
    for (const written of writes) assert.equal(await written, "us write");
    assert.deepEqual([us.writes.length, edges[0]?.table.view.epoch], [3, 1]);
  });

  test("a hook that fails after its work is found out, and the move is done", async (t) => {
    const { us, eu, ap, hook, edges } = await stage(t);
    hook.act = (told) => promoteDatabase([us, eu, ap], told) + 300;
    assert.equal((await move(edges[0])).status, 200);
    assert.equal(await ask(edges[1] as Edge, "PUT"), "eu write");
  });

  test("a hook that does its work when the move has been given up is followed, in the epoch that it was given", async (t) => {
    const { us, eu, ap, hook, edges } = await stage(t);
    hook.act = () => 500;
    assert.equal((await move(edges[0])).status, 409);
    const [late] = hook.calls;
    assert.ok(late);
    promoteDatabase([us, eu, ap], late);
    await eventually(() => assert.equal(writersOf(edges), "eu,eu,eu"), { withinMs: 10_000 });
    assert.equal(edges[0]?.table.view.epoch, late.epoch);
    assert.equal(await ask(edges[1] as Edge, "PUT"), "eu write");
  });

  test("what an edge that is cut off has begun is carried on by another, by the same move and epoch", async (t) => {
    const { hook, edges, links, us, eu, ap } = await stage(t);
    let cut = false;
    hook.act = (told) => {
      if (cut) return promoteDatabase([us, eu, ap], told);
      cut = true;
      links[0]?.cut();
      return new Promise<number>(() => undefined);
    };
    const answer = move(edges[0]).catch(() => null);
    await eventually(() => assert.equal(writersOf(edges.slice(1)), "eu,eu"), { withinMs: 20_000 });
    const [first, second] = hook.calls;
    assert.deepEqual([second?.move, second?.epoch], [first?.move, first?.epoch]);
    links[0]?.mend();
    await eventually(() => assert.equal(writersOf(edges), "eu,eu,eu"), { withinMs: 10_000 });
    assert.equal(await ask(edges[0] as Edge, "PUT"), "eu write");
    void answer;
  });

  test("before the hook, what an edge that is cut off has begun lapses, and the writes that waited are made", async (t) => {
    const { edges, links, us, hook } = await stage(t);
    us.position += 100;
    us.scripted.health = () => ({ writer: true, epoch: 1, applied: us.at, lagMs: 0 });
    const answer = move(edges[0]).catch(() => null);
    await eventually(() => edges.every((edge) => edge.table.view.moving));
    links[0]?.cut();
    const written = ask(edges[1] as Edge, "PUT");
    assert.equal(await written, "us write");
    assert.deepEqual([hook.calls.length, edges[1]?.table.view.epoch], [0, 1]);
    void answer;
  });

  test("a write that an edge has under way is waited for, and force does not wait", async (t) => {
    const { us, eu, edges } = await stage(t, { holdWrites: "2s" });
    const body = new PassThrough();
    body.write("a");
    const slow = request(`${edges[1]?.httpUrl}/slow`, { method: "POST", body });
    await eventually(async () => {
      const { json } = await call(edges[1], "GET", "/v1/edges");
      assert.equal(json.edges.find(({ self }: { self: boolean }) => self).writesUnderWay, 1);
    });
    const refused = await move(edges[0]);
    assert.deepEqual([refused.status, refused.json.fault], [409, "not_moved"]);
    assert.match(refused.json.detail, /1 writes? through the edge edge-1/);
    assert.equal((await move(edges[0], { force: true })).status, 200);
    body.end("b");
    assert.equal(
      (await slow).statusCode,
      200,
      "the old database takes no writes any more, and the new one does",
    );
    assert.deepEqual([us.writes.length, eu.writes.length], [0, 1]);
  });

  test("a write that is under way is waited for when Redis has lost who sends it", async (t) => {
    const { us, eu, hook, edges, links, forget } = await stage(t);
    const body = new PassThrough();
    body.write("a");
    const slow = request(`${edges[2]?.httpUrl}/slow`, { method: "POST", body });
    await eventually(async () => {
      const { json } = await call(edges[0], "GET", "/v1/edges");
      assert.equal(json.edges.find(({ id }: { id: string }) => id === "edge-2").writesUnderWay, 1);
    });
    const moving = move(edges[0]);
    await eventually(() => edges.every((edge) => edge.table.view.moving));
    links[2]?.stall();
    await forget();
    // Who is left says that it holds its writes, time and again.
    await sleep(1_200);
    const before = hook.calls.length;
    links[2]?.mend();
    body.end("b");
    assert.equal((await slow).statusCode, 200);
    eu.position = us.position;
    assert.equal((await moving).status, 200);
    assert.deepEqual([before, us.writes], [0, [1]]);
    assert.equal(hook.calls[0]?.position, us.at, "the new region had it before it was promoted");
  });

  test("a write whose answer is an event stream is waited for until its head", async (t) => {
    const { us, edges } = await stage(t);
    us.streams = true;
    const stream = await request(`${edges[1]?.httpUrl}/chat`, { method: "POST" });
    assert.equal((await move(edges[0])).status, 200);
    assert.equal(stream.statusCode, 200);
    assert.ok(!stream.body.destroyed, "it goes on");
    stream.body.on("error", () => undefined).destroy();
  });

  test("the fleet moves the write region by itself when most edges see it down, and fences it when it is back", async (t) => {
    const { us, eu, ap, hook, edges } = await stage(t, { mode: "automatic", after: "1s" });
    ap.position = eu.position - 4;
    await us.scripted.stop();
    await eventually(() => assert.equal(writersOf(edges), "eu,eu,eu"), { withinMs: 15_000 });
    assert.deepEqual([hook.calls.length, hook.calls[0]?.automatic], [1, true]);
    for (const edge of edges) assert.equal(await ask(edge, "PUT"), "eu write");
    assert.ok(us.writer, "nobody has told it");
    us.scripted.server.listen(Number(new URL(us.scripted.url).port), "127.0.0.1");
    await eventually(async () => {
      const { json } = await call(edges[0], "GET", "/v1/regions/us");
      assert.deepEqual([json.health, json.fenced], ["up", true]);
    });
    assert.equal(await ask(edges[0] as Edge, "GET"), "eu pin");
    const { json } = await call(edges[0], "POST", "/v1/explain", { method: "GET", path: "/" });
    assert.equal(json.regions.find(({ id }: { id: string }) => id === "us").obstacle, "fenced");
    us.writer = false;
    us.epoch = 2;
    us.position = eu.position;
    await eventually(async () =>
      assert.equal((await call(edges[0], "GET", "/v1/regions/us")).json.fenced, false),
    );
  });

  test("an edge that alone sees the write region down moves nothing, and sends writes there all the same", async (t) => {
    const { us, edges } = await stage(t, { mode: "automatic", after: "500ms" });
    // The region refuses the probes of one edge.
    const health = us.scripted.server.listeners("request")[0] as (...given: unknown[]) => void;
    us.scripted.server.removeAllListeners("request");
    us.scripted.server.on("request", (req, res) => {
      const isRefused = req.url === "/healthz" && req.headers["x-meridian-edge"] === "edge-0";
      if (isRefused) res.writeHead(503).end();
      else health(req, res);
    });
    await eventually(() => assert.equal(edges[0]?.table.view.byId.get("us")?.health, "down"));
    await sleep(2_500);
    assert.equal(writersOf(edges), "us,us,us");
    assert.equal(await ask(edges[0] as Edge, "PUT"), "us write");
    const { json } = await call(edges[0], "GET", "/v1/edges");
    assert.deepEqual(json.quorum, { known: 3, live: 3, needed: 2, writerDown: 1, writerUp: 2 });
    assert.equal(json.edges[1].regions.us.health, "up");
  });

  test("a database that fails over by itself is followed in mode automatic, without a hook", async (t) => {
    const { us, eu, ap, edges, hook } = await stage(t, { mode: "automatic", hook: undefined });
    promoteDatabase([us, eu, ap], { from: "us", to: "eu", epoch: 5 });
    await eventually(() => assert.equal(writersOf(edges), "eu,eu,eu"), { withinMs: 10_000 });
    assert.deepEqual([edges[0]?.table.view.epoch, hook.calls.length], [5, 0]);
    for (const edge of edges) assert.equal(await ask(edge, "PUT"), "eu write");
  });
});
