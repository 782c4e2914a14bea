import assert from "node:assert/strict";
import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type Dispatcher, request } from "undici";
import { parse, stringify } from "yaml";
import { collector } from "../support/collector.ts";
import { DatabaseRegion, PromotionHook } from "../support/database.ts";
import { beginDrill, reportAt } from "../support/drills.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";

const EDGE = "edge-of-two";
const CLIENTS_TRIED = 64;

interface Stage {
  readonly edge: EdgeProcess;
  /** The writer. */
  readonly us: DatabaseRegion;
  /** Where reads go that nothing holds back. */
  readonly eu: DatabaseRegion;
  readonly hook: PromotionHook;
  readonly probes: { of: Record<string, number> };
}

async function stage(t: TestContext, more: object = {}): Promise<Stage> {
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  await redis.command("HSET meridian:topology rev 1 bornMs 0 epoch 1 writer us mode rw");
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
  const edge = await startEdgeProcess(
    stringify({
      edge: { id: EDGE },
      workers: 2,
      listen: { http: { host: "127.0.0.1", port: 0 } },
      admin: { port: 0 },
      redis: { url: redis.url },
      regions: Object.fromEntries(
        regions.map(({ id, writer, scripted }) => [
          id,
          { role: writer ? "writer" : "replica", endpoints: [scripted.url] },
        ]),
      ),
      routing: { policy: "priority", slowStart: "0ms" },
      health: { interval: "1s", timeout: "900ms", fall: 2 },
      failover: { hook: { url, token: "hook-token" } },
      consistency: { graceWindow: "20s" },
      proxy: { responseTimeout: "20s", connectTimeout: "500ms" },
      shutdown: { grace: "5s" },
      limits: { overload: { eventLoopDelay: "0ms" } },
      ...more,
    }),
  );
  t.after(() => edge.kill());
  return { edge, us: regions[1], eu: regions[0], hook, probes };
}

interface LogLine {
  readonly msg: string;
  readonly worker?: number;
  readonly requestId?: string;
  readonly why?: string;
}

function logLines(edge: EdgeProcess): readonly LogLine[] {
  const whole = edge.logs().split("\n").slice(0, -1);
  return whole.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

async function workerOf(edge: EdgeProcess, requestId: unknown): Promise<number> {
  let worker: number | undefined;
  await eventually(() => {
    worker = logLines(edge).find((line) => line.msg === "request" && line.requestId === requestId)?.worker;
    return worker !== undefined;
  });
  return worker ?? 0;
}

/** One kept connection to each of the two workers. */
async function connections(t: TestContext, edge: EdgeProcess): Promise<readonly [Client, Client]> {
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

async function ask(client: Client, method: Dispatcher.HttpMethod, user: string): Promise<string> {
  const headers = { authorization: `Bearer ${user}` };
  const answer = await client.request({ method, path: "/thing", headers });
  await answer.body.dump();
  return `${answer.headers["x-meridian-region"]} ${answer.headers["x-meridian-reason"]}`;
}

/** A write that goes on until it is told to end. */
function openWrite(client: Client) {
  const body = new PassThrough();
  body.write("a");
  const answered = client
    .request({ method: "POST", path: "/long", body })
    .then(async ({ statusCode, body: answer }) => {
      await answer.dump();
      return statusCode;
    })
    .catch((error: NodeJS.ErrnoException) => error.code ?? error.name);
  return { answered, end: () => body.end("b") };
}

async function call(edge: EdgeProcess, method: "GET" | "POST", path: string, body?: object) {
  const answer = await request(`${edge.adminUrl}${path}`, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer of any shape, which the test then looks into
  return { status: answer.statusCode, json: (await answer.body.json()) as any };
}

/** Writes under way in each worker, as the fleet knows them. */
async function writesUnderWay(edge: EdgeProcess): Promise<Readonly<Record<string, number>>> {
  const { json } = await call(edge, "GET", "/v1/edges");
  const edges = json.edges as readonly { worker: number | null; writesUnderWay: number; live: boolean }[];
  return Object.fromEntries(
    edges.filter(({ worker }) => worker !== null).map((each) => [each.worker, each.writesUnderWay]),
  );
}

async function metric(edge: EdgeProcess, series: string): Promise<number> {
  const { body } = await request(`${edge.adminUrl}/metrics`);
  const lines = (await body.text()).split("\n").filter((line) => line.startsWith(series));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
}

function isThere(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}

describe("an edge with two workers", { concurrency: true }, () => {
  test("is one edge", async (t) => {
    const { url, spans } = await collector(t);
    const { edge, us, eu, hook, probes } = await stage(t, { tracing: { url, samplePercent: 100 } });

    await t.test("that says so, and listens with both", async (inner) => {
      await connections(inner, edge);
      const { json } = await call(edge, "GET", "/v1/status");
      assert.deepEqual([json.workers, json.edges], [2, 1]);
      assert.equal((await call(edge, "GET", "/v1/edges")).json.quorum.known, 1);
    });

    await t.test("that tells a collector of the requests of both", async (inner) => {
      const clients = await connections(inner, edge);
      const answers = await Promise.all(
        clients.map((client) => client.request({ method: "GET", path: "/traced" })),
      );
      const ids = answers.map(({ headers }) => headers["x-request-id"]);
      for (const { body } of answers) await body.dump();
      const told = () =>
        new Set(
          spans.flatMap(({ attributes }) =>
            attributes.flatMap(({ key, value }) => (key === "meridian.request_id" ? value.stringValue : [])),
          ),
        );
      await eventually(() => ids.every((id) => told().has(id)), { withinMs: 15_000 });
    });

    await t.test("with one prober", async () => {
      const before = { ...probes.of };
      await sleep(3_000);
      for (const id of ["us", "eu"]) {
        const made = (probes.of[id] ?? 0) - (before[id] ?? 0);
        assert.ok(made >= 2 && made <= 4, `${made} probes of ${id} in 3 s, at one a second`);
      }
    });

    await t.test(
      "whose users read through one worker what they have written through the other",
      async (inner) => {
        const [one, two] = await connections(inner, edge);
        assert.equal(await ask(two, "GET", "nobody"), "eu priority");
        for (const [writes, reads, user] of [
          [one, two, "ann"],
          [two, one, "bob"],
        ] as const) {
          assert.equal(await ask(writes, "PUT", user), "us write");
          assert.equal(await ask(reads, "GET", user), "us pin");
        }
      },
    );

    await t.test("whose metrics are sums, and its decisions those of both", async (inner) => {
      const [one, two] = await connections(inner, edge);
      const before = await metric(edge, "meridian_requests_total{");
      const timed = await metric(edge, "meridian_edge_overhead_seconds_count");
      for (const client of [one, two, one]) await ask(client, "GET", "carol");
      assert.equal((await metric(edge, "meridian_requests_total{")) - before, 3);
      assert.equal((await metric(edge, "meridian_edge_overhead_seconds_count")) - timed, 3);
      assert.deepEqual(
        [await metric(edge, "meridian_workers"), await metric(edge, "meridian_fleet_edges{")],
        [2, 1],
      );
      for (const client of [one, two]) {
        const answer = await client.request({ method: "GET", path: "/decided" });
        await answer.body.dump();
        const found = await call(edge, "GET", `/v1/decisions/${answer.headers["x-request-id"]}`);
        assert.equal(found.json.request.path, "/decided");
      }
    });

    await t.test("whose drains both follow", async (inner) => {
      const both = await connections(inner, edge);
      const reason = "a test";
      assert.equal((await call(edge, "POST", "/v1/regions/eu/drain", { reason })).status, 200);
      await eventually(async () => {
        for (const client of both) assert.equal(await ask(client, "GET", "dora"), "us priority");
      });
      assert.equal((await call(edge, "POST", "/v1/regions/eu/undrain", { reason })).status, 200);
      await eventually(async () => {
        for (const client of both) assert.equal(await ask(client, "GET", "dora"), "eu priority");
      });
    });

    await t.test("whose write region moves when no worker has a write under way any more", async (inner) => {
      const both = await connections(inner, edge);
      const writes = both.map(openWrite);
      await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
      assert.equal(await metric(edge, "meridian_writes_under_way"), 2);
      const moving = call(edge, "POST", "/v1/write-region", { region: "eu", reason: "a test" });
      await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.mode, "ro"));
      writes[0]?.end();
      assert.equal(await writes[0]?.answered, 200);
      await sleep(1_000);
      assert.deepEqual([hook.calls.length, us.writer], [0, true], "the other worker has one under way");
      const held = openWrite(both[0]);
      held.end();
      writes[1]?.end();
      assert.equal(await writes[1]?.answered, 200);
      eu.position = us.position;
      assert.deepEqual([(await moving).status, us.writes.at(-1)], [200, 1]);
      assert.equal(await held.answered, 200, "it has waited for the new write region");
      for (const client of both) assert.equal(await ask(client, "PUT", "emil"), "eu write");
    });

    await t.test(
      "which loses with a worker that worker's connections only, and replaces it",
      async (inner) => {
        const [one, two] = await connections(inner, edge);
        const writes = [one, two].map(openWrite);
        await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
        const counted = await metric(edge, "meridian_requests_total{");
        const { pid } = logLines(edge).find(
          ({ msg, worker }) => msg === "worker started" && worker === 1,
        ) as unknown as { pid: number };
        process.kill(pid, "SIGKILL");
        for (const write of writes) write.end();
        const [lost, kept] = await Promise.all(writes.map(({ answered }) => answered));
        assert.match(String(lost), /UND_ERR_SOCKET|ECONNRESET|EPIPE/);
        assert.equal(kept, 200);
        await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.workers, 2), {
          withinMs: 15_000,
        });
        await connections(inner, edge);
        assert.equal(await metric(edge, "meridian_worker_restarts_total"), 1);
        assert.ok((await metric(edge, "meridian_requests_total{")) > counted, "what it counted still counts");
      },
    );

    await t.test("which takes a reload in both", async (inner) => {
      const both = await connections(inner, edge);
      const text = readFileSync(edge.configFile, "utf8");
      writeFileSync(
        edge.configFile,
        text.replace("policy: priority", "policy: priority\n  paths: [{ path: /thing, as: static }]"),
      );
      edge.child.kill("SIGHUP");
      await eventually(async () => {
        for (const client of both) assert.equal(await ask(client, "GET", "finn"), "eu static");
      });
    });

    await t.test("and which lets every worker finish when it stops", async (inner) => {
      const both = await connections(inner, edge);
      const workers = childrenOf(edge.pid);
      const writes = both.map(openWrite);
      await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
      edge.child.kill("SIGTERM");
      await eventually(async () => assert.equal((await request(`${edge.adminUrl}/readyz`)).statusCode, 503));
      await sleep(1_500);
      for (const write of writes) write.end();
      assert.deepEqual(await Promise.all(writes.map(({ answered }) => answered)), [200, 200]);
      assert.equal(await edge.stop(), 0);
      assert.deepEqual(workers.map(isThere), [false, false]);
    });
  });

  test("rehearses a loss in every worker", async (t) => {
    const { edge } = await stage(t);
    const both = await connections(t, edge);
    const drill = { region: "eu", lasts: "4s", kind: "black-hole", reason: "a test" };
    const { status, json } = await beginDrill(edge, drill, "?force=true");
    assert.equal(status, 200, JSON.stringify(json));
    await eventually(async () => {
      const served = await Promise.all(both.map((client) => ask(client, "GET", "gus")));
      for (const region of served) assert.match(region, /^us /);
    });
    const report = await reportAt(edge, json.drill?.id ?? "");
    assert.deepEqual([report.result, report.lost], ["passed", 0]);
    assert.deepEqual(report.edges.map(({ edge: name }) => name).toSorted(), [EDGE, `${EDGE}/1`, `${EDGE}/2`]);
    const asked = report.edges.map((each) => [each.edge === EDGE, each.requests > 0]);
    assert.ok(
      asked.every(([isPrimary, isAsked]) => isPrimary !== isAsked),
      JSON.stringify(report.edges),
    );
    await eventually(async () => {
      for (const client of both) assert.match(await ask(client, "GET", "hal"), /^eu /);
    });
  });

  test("replaces a worker that hangs, and takes its workers along when it is killed", async (t) => {
    const { edge } = await stage(t);
    const taken = { ...parse(readFileSync(edge.configFile, "utf8")), admin: { port: 0 } };
    const second = await startEdgeProcess(stringify(taken)).catch((error: Error) => error.message);
    assert.match(String(second), /is taken/);
    const [hanging = 0] = childrenOf(edge.pid);
    process.kill(hanging, "SIGSTOP");
    await eventually(() => logLines(edge).some(({ why }) => why === "it hung"), { withinMs: 20_000 });
    await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.workers, 2), {
      withinMs: 15_000,
    });
    const workers = childrenOf(edge.pid);
    await edge.kill("SIGKILL");
    await eventually(() => workers.every((pid) => !isThere(pid)));
  });
});
