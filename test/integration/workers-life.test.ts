import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, type TestContext, test } from "node:test";
import { Client, request } from "undici";
import { parse, stringify } from "yaml";
import type { EdgeProcess } from "../support/edge-process.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { sendRaw } from "../support/raw.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import {
  ask,
  call,
  childrenOf,
  connections,
  isThere,
  logLines,
  metric,
  openWrite,
  stage,
  writesUnderWay,
} from "../support/worker-edge.ts";

const GET = "GET /thing HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const CRASHING = ["--import", path.join(import.meta.dirname, "../support/crashing-worker.ts")];
const RELOADS = 10;
/** Of a worker that crashes. */
const ENDS = 4;

/** Changes the file and says so; what follows of it is not waited for. */
async function reload(edge: EdgeProcess, change: (config: Record<string, object>) => void): Promise<void> {
  const config = parse(await readFile(edge.configFile, "utf8"));
  change(config);
  await writeFile(edge.configFile, stringify(config));
  edge.child.kill("SIGHUP");
}

const messages = (edge: EdgeProcess, text: string) => logLines(edge).filter(({ msg }) => msg === text);

async function kill(edge: EdgeProcess, worker: number): Promise<void> {
  const of = (text: string) => messages(edge, text).filter((line) => line.worker === worker);
  const { pid = 0 } = of("worker started").at(-1) ?? {};
  process.kill(pid, "SIGKILL");
  await eventually(() => of("worker ended").some((line) => line.pid === pid));
}

async function untilBothListen(edge: EdgeProcess): Promise<void> {
  await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.workers, 2), {
    withinMs: 20_000,
  });
}

/** Asks over these, and over a new connection each time, until it is told to end. Resolves to what it was answered. */
function traffic(t: TestContext, edge: EdgeProcess, kept: readonly Client[]) {
  let isOver = false;
  t.after(() => {
    isOver = true;
  });
  const answers: string[] = [];
  const goOn = async (once: () => Promise<string>) => {
    while (!isOver) answers.push(await once().catch((error: Error) => error.message));
  };
  const lanes = [
    ...kept.map((client) => () => ask(client, "GET")),
    async () => (await sendRaw(edge.httpUrl, GET)).text.slice(0, "HTTP/1.1 200".length),
  ];
  const all = Promise.all(lanes.map(goOn));
  return async () => {
    isOver = true;
    await all;
    return answers;
  };
}

/** Whether reads of these users are pinned at another edge of the same fleet. */
async function assertPinned(t: TestContext, redis: RedisServer, users: readonly string[]): Promise<void> {
  const { edge } = await stage(t, { workers: 1 }, { redis });
  const client = new Client(edge.httpUrl);
  t.after(() => client.destroy());
  assert.equal(await ask(client, "GET"), "eu priority");
  for (const user of users) assert.equal(await ask(client, "GET", user), "us pin");
}

describe("an edge with two workers", { concurrency: true }, () => {
  test("goes on", async (t) => {
    const { edge, redis } = await stage(t, { shutdown: { grace: "15s" } });

    await t.test("through reloads under traffic, taken by both workers or by none", async (inner) => {
      const both = await connections(inner, edge);
      const end = traffic(inner, edge, both);
      for (let count = 1; count <= RELOADS; count += 1) {
        const [paths, expected] =
          count % 2 === 1 ? [[{ path: "/thing", as: "static" }], "eu static"] : [[], "eu priority"];
        await reload(edge, (config) => Object.assign(config.routing ?? {}, { paths }));
        await eventually(async () => {
          for (const client of both) assert.equal(await ask(client, "GET"), expected);
        });
      }
      await reload(edge, (config) => Object.assign(config.routing ?? {}, { policy: "none such" }));
      await eventually(() => assert.equal(messages(edge, "configuration rejected").length, 1));
      for (const client of both) assert.equal(await ask(client, "GET"), "eu priority");
      const answers = new Set(await end());
      assert.deepEqual([...answers].toSorted(), ["HTTP/1.1 200", "eu priority", "eu static"]);
      assert.equal(messages(edge, "configuration reloaded").length, RELOADS);
      assert.equal(messages(edge, "worker ended").length, 0);
    });

    await t.test("with what was read at the start, in a worker that replaces another too", async (inner) => {
      const other = await startRedis({ aged: true });
      inner.after(() => other.stop());
      const port = await freePort();
      await reload(edge, (config) => {
        Object.assign(config, { redis: { url: other.url }, edge: { id: "another" } });
        config.listen = { http: { host: "127.0.0.1", port } };
        const paths = [{ path: "/static", as: "static" }];
        Object.assign(config.routing ?? {}, { policy: "priority", paths });
      });
      await eventually(() => assert.equal(messages(edge, "configuration reloaded").length, RELOADS + 1));
      await kill(edge, 1);
      await untilBothListen(edge);
      const [one, two] = await connections(inner, edge);
      for (const [writes, reads, user] of [
        [one, two, "ann"],
        [two, one, "bob"],
      ] as const) {
        assert.equal(await ask(writes, "PUT", user), "us write");
        assert.equal(await ask(reads, "GET", user), "us pin");
      }
      for (const client of [one, two]) {
        const answer = await client.request({ method: "GET", path: "/static" });
        await answer.body.dump();
        assert.equal(answer.headers["x-meridian-reason"], "static", "what a reload can change it has");
      }
      assert.equal((await sendRaw(`http://127.0.0.1:${port}`, GET)).closed, "reset", "nobody listens there");
    });

    await t.test("until the one write that is under way has ended, when it stops", async (inner) => {
      const [one, two] = await connections(inner, edge);
      assert.equal(await ask(one, "GET"), "eu priority");
      const ends = messages(edge, "worker ended").length;
      const workers = childrenOf(edge.pid);
      const write = openWrite(two, "cora");
      await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 0, 2: 1 }));
      edge.child.kill("SIGTERM");
      await eventually(() => assert.equal(workers.filter(isThere).length, 1), { withinMs: 10_000 });
      assert.equal((await sendRaw(edge.httpUrl, GET)).closed, "reset", "nobody listens any more");
      assert.equal(edge.child.exitCode, null);
      write.end();
      assert.equal(await write.answered, 200);
      assert.equal(await edge.stop(), 0);
      assert.deepEqual([workers.filter(isThere), messages(edge, "worker ended").length], [[], ends]);
      await assertPinned(inner, redis, ["cora"]);
    });
  });

  test("whose workers crash", async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), "meridian-crash-"));
    t.after(() => rm(folder, { recursive: true }));
    const crash = path.join(folder, "crash");
    const crashing = { nodeOptions: CRASHING, environment: { CRASH_FILE: crash } };
    const { edge, redis } = await stage(t, { shutdown: { grace: "20s" } }, crashing);

    await t.test("starts one again ever more slowly, says so, and serves by the other", async (inner) => {
      const both = await connections(inner, edge);
      await writeFile(crash, "");
      await kill(edge, 1);
      const ends = () => messages(edge, "worker ended").slice(0, ENDS);
      await eventually(() => assert.equal(ends().length, ENDS), { withinMs: 20_000 });
      const how = ends().map(({ worker, why }) => `${worker} ${why}`);
      assert.deepEqual(how, ["1 SIGKILL", ...Array(ENDS - 1).fill("1 SIGSEGV")]);
      const pauses = ends().map(({ againInMs }) => againInMs ?? 0);
      for (const [index, pause] of pauses.slice(1).entries())
        assert.equal(pause, 2 * (pauses[index] ?? 0) || 250, `${pauses}`);
      assert.equal((await call(edge, "GET", "/v1/status")).json.workers, 1);
      assert.equal((await request(`${edge.adminUrl}/readyz`)).statusCode, 200);
      assert.equal(await ask(both[1], "GET"), "eu priority");
      assert.match((await sendRaw(edge.httpUrl, GET)).text, /^HTTP\/1\.1 200 /);
    });

    await t.test("is not ready when none is left, and keeps what they have counted", async () => {
      const counted = await metric(edge, "meridian_requests_total{");
      assert.ok(counted > 0);
      await kill(edge, 2);
      const { statusCode, body } = await request(`${edge.adminUrl}/readyz`);
      assert.equal(statusCode, 503);
      assert.match(await body.text(), /no worker listens/);
      assert.equal(await metric(edge, "meridian_requests_total{"), counted);
    });

    await t.test("says why they cannot start again, and starts them when they can", async (inner) => {
      const thief = createServer().listen(Number(new URL(edge.httpUrl).port), "127.0.0.1");
      await once(thief, "listening");
      await rm(crash);
      await eventually(() => logLines(edge).some(({ why }) => /EADDRINUSE/.test(why ?? "")), {
        withinMs: 20_000,
      });
      thief.close();
      await untilBothListen(edge);
      await connections(inner, edge);
    });

    await t.test(
      "is cut by a second signal, and what nobody knows the end of stays pinned",
      async (inner) => {
        const [one, two] = await connections(inner, edge);
        const writes = [openWrite(one, "ann"), openWrite(two, "bob")];
        await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
        const workers = childrenOf(edge.pid);
        edge.child.kill("SIGTERM");
        await eventually(async () =>
          assert.equal((await request(`${edge.adminUrl}/readyz`)).statusCode, 503),
        );
        const hurriedMs = performance.now();
        assert.equal(await edge.stop(), 0);
        assert.ok(performance.now() - hurriedMs < 10_000);
        for (const { answered } of writes)
          assert.match(String(await answered), /UND_ERR_SOCKET|ECONNRESET|EPIPE/);
        assert.deepEqual(workers.filter(isThere), []);
        await assertPinned(inner, redis, ["ann", "bob"]);
      },
    );
  });
});
