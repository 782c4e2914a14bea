import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { systemClock } from "../../src/clock.ts";
import { Identities } from "../../src/consistency/identities.ts";
import { RedisPinStore } from "../../src/consistency/redis.ts";
import type { EdgeEvents, RequestRecord } from "../../src/events.ts";
import { connectRedis } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

const SECRET = "a-secret-that-only-tests-use";
const ALICE = { authorization: "Bearer alice" };
const ok: RequestListener = (req, res) => {
  req.resume();
  res.end("ok");
};
const reset: RequestListener = (req) => req.socket.destroy();

interface World extends ScriptedWorld {
  readonly records: RequestRecord[];
  readonly retried: EdgeEvents["retried"][];
}

/** Whatever a test does, in the end no request is in flight and each was told of once. */
async function scripted(
  t: TestContext,
  handlers: Parameters<typeof startScripted>[0],
  overrides: Record<string, unknown> = {},
): Promise<World> {
  const world = await startScripted(handlers, overrides);
  const records: RequestRecord[] = [];
  const retried: EdgeEvents["retried"][] = [];
  world.edge.events.on("requestDone", (record) => records.push(record));
  world.edge.events.on("retried", (event) => retried.push(event));
  t.after(async () => {
    try {
      await eventually(() =>
        world.edge.table.status().every(({ requestsInFlight }) => requestsInFlight === 0),
      );
      assert.equal(new Set(records.map(({ id }) => id)).size, records.length, "a request was told of twice");
    } finally {
      await world.stop();
    }
  });
  return { ...world, records, retried };
}

async function redisFor(t: TestContext): Promise<RedisServer> {
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  return redis;
}

/** Pins a user as another edge would. */
async function pinElsewhere(redis: RedisServer, headers: Record<string, string>): Promise<void> {
  const client = connectRedis(redis.url, "another-edge");
  await once(client, "ready");
  const { write } = new Identities(undefined, [SECRET]).identitiesOf(headers);
  await new RedisPinStore(client, "meridian").begin(write, "another-edge.1", 60_000);
  client.disconnect();
}

describe("when something goes wrong", { concurrency: 4 }, () => {
  test("a retry does not take a reader to a replica on the strength of a pin that was never asked for", async (t) => {
    const redis = await redisFor(t);
    const { edge } = await scripted(t, { writer: reset, replica: ok }, { redis: { url: redis.url } });
    await pinElsewhere(redis, ALICE);
    const pinned = await request(edge.httpUrl, { headers: ALICE });
    assert.equal(pinned.statusCode, 502);
    await pinned.body.dump();
    const free = await request(edge.httpUrl, { headers: { authorization: "Bearer bob" } });
    assert.deepEqual([free.statusCode, free.headers["x-meridian-region"]], [200, "replica"]);
    await free.body.dump();
  });

  test("a client that leaves while its pin is looked up costs nothing", async (t) => {
    const redis = await redisFor(t);
    let asked = 0;
    const near: RequestListener = (_req, res) => {
      asked += 1;
      res.end(Buffer.alloc(1_000_000));
    };
    const { edge, records } = await scripted(t, { writer: ok, near }, { redis: { url: redis.url } });
    const drained = {
      state: "draining",
      reason: "",
      by: "test",
      sinceWallMs: 0,
      deadlineWallMs: null,
    } as const;
    await edge.admissions.set("writer", drained);
    redis.pause();
    for (let i = 0; i < 4; i += 1) {
      const req = httpRequest(edge.httpUrl, { headers: { authorization: `Bearer ${i}` } }).end();
      req.on("error", () => {});
      await sleep(30);
      req.destroy();
    }
    await eventually(() => records.length === 4);
    redis.resume();
    assert.equal(asked, 0);
    assert.ok(records.every(({ status }) => status === 499));
  });

  /** A region that answers each connection with bytes of its own. */
  function rawly(bytes: string): RequestListener {
    return (req) => req.socket.end(Buffer.from(bytes, "utf8"));
  }

  test("a reason phrase that cannot be written is left out", async (t) => {
    const main = rawly("HTTP/1.1 200 日本\r\ncontent-length: 2\r\n\r\nok");
    const { edge } = await scripted(t, { main });
    for (const method of ["GET", "POST", "HEAD"] as const) {
      const { statusCode, body } = await request(edge.httpUrl, { method });
      assert.equal(statusCode, 200);
      await body.dump();
    }
  });

  test("a HEAD that says it wrote is settled although undici cannot pause it", async (t) => {
    const redis = await redisFor(t);
    const main: RequestListener = (_req, res) => {
      res.setHeader("x-meridian-wrote", "1");
      res.end();
    };
    const { edge, records } = await scripted(t, { main }, { redis: { url: redis.url } });
    redis.pause();
    const gone = httpRequest(edge.httpUrl, { method: "HEAD", headers: ALICE }).end();
    gone.on("error", () => {});
    await sleep(50);
    gone.destroy();
    const { statusCode } = await request(edge.httpUrl, { method: "HEAD", headers: ALICE });
    assert.equal(statusCode, 200);
    redis.resume();
    await eventually(() => records.length === 2);
  });

  test("a client that stops sending its body is cut, and frees its connection", async (t) => {
    const proxy = { idleTimeout: "1s", connectionsPerEndpoint: 1, responseTimeout: "20s" };
    const { edge, records } = await scripted(t, { main: ok }, { proxy });
    const { text } = await sendRaw(
      edge.httpUrl,
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
      {
        forMs: 4_000,
      },
    );
    assert.match(text, /^HTTP\/1\.1 (200|408) /);
    assert.equal((await request(edge.httpUrl)).statusCode, 200);
    assert.ok(
      edge.table.status().every(({ health }) => health === "up"),
      "and the region is not blamed",
    );
    await eventually(() => records.length === 2);
  });

  test("a client that stops reading its answer is cut, and frees its connection", async (t) => {
    const main: RequestListener = (req, res) => {
      res.end(req.url === "/big" ? Buffer.alloc(50_000_000) : "ok");
    };
    const proxy = { idleTimeout: "1s", connectionsPerEndpoint: 1 };
    const { edge, records } = await scripted(t, { main }, { proxy });
    const req = httpRequest(`${edge.httpUrl}/big`).end();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    res.pause();
    res.on("error", () => {});
    await eventually(() => records.length === 1);
    assert.deepEqual([records[0]?.fault, records[0]?.complete], ["request_timeout", false]);
    assert.equal((await request(edge.httpUrl)).statusCode, 200);
    req.destroy();
  });

  test("a region that falls silent in its answer is cut, and one that says something now and then is not", async (t) => {
    const main: RequestListener = (req, res) => {
      res.write("begun");
      if (req.url === "/silent") return;
      const said = setInterval(() => res.write("."), 400);
      setTimeout(() => {
        clearInterval(said);
        res.end("done");
      }, 3_500);
    };
    const { edge, records } = await scripted(t, { main }, { proxy: { idleTimeout: "1s" } });
    const read = async (path: string) => (await request(`${edge.httpUrl}${path}`)).body.text();
    const silent = read("/silent").catch((error: Error) => error.name);
    assert.match(await read("/slow"), /^begun\.+done$/);
    assert.deepEqual(
      records.map(({ path, fault, complete }) => [path, fault, complete]),
      [
        ["/silent", "response_timeout", false],
        ["/slow", null, true],
      ],
    );
    assert.notEqual(await silent, "begun");
  });

  test("a write with nowhere else to go spends no retry", async (t) => {
    const world = await scripted(t, { main: ok, far: ok });
    await world.regions.main?.stop();
    for (let i = 0; i < 40; i += 1) {
      const { body } = await request(world.edge.httpUrl, { method: "POST" });
      await body.dump();
    }
    assert.deepEqual(world.retried, []);
  });

  test("whoever waits for a connection waits no longer than the time to connect", async (t) => {
    const slow: RequestListener = (_req, res) => void setTimeout(() => res.end("late"), 2_500);
    const proxy = { connectionsPerEndpoint: 1, connectTimeout: "500ms", responseTimeout: "5s" };
    const { edge } = await scripted(t, { main: slow }, { proxy });
    const first = request(edge.httpUrl, { method: "POST" });
    await sleep(100);
    const second = await request(edge.httpUrl, { method: "POST" });
    assert.equal(second.statusCode, 503);
    assert.equal(((await second.body.json()) as { fault: string }).fault, "no_connection");
    assert.equal(await (await first).body.text(), "late");
  });

  test("requests whose clients left while they waited reach no region", async (t) => {
    let asked = 0;
    const slow: RequestListener = (_req, res) => {
      asked += 1;
      setTimeout(() => res.end("late"), 500);
    };
    const { edge, records } = await scripted(t, { main: slow }, { proxy: { connectionsPerEndpoint: 1 } });
    const first = request(edge.httpUrl);
    await sleep(100);
    for (let i = 0; i < 10; i += 1) {
      const req = httpRequest(edge.httpUrl).end();
      req.on("error", () => {});
      setTimeout(() => req.destroy(), 100);
    }
    await (await first).body.dump();
    await (await request(edge.httpUrl)).body.dump();
    await eventually(() => records.length === 12);
    assert.equal(asked, 2);
  });

  test("an upload that is answered early is read to its end, and the connection stays in step", async (t) => {
    const main: RequestListener = (req, res) => {
      if (req.method === "GET") return void res.end("next");
      res.statusCode = 401;
      res.end("no");
    };
    const { edge } = await scripted(t, { main });
    const size = 8_000_000;
    const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
    socket.write(Buffer.alloc(size));
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await eventually(() => text.includes("next"));
    assert.match(text, /^HTTP\/1\.1 (401|502) /);
    socket.destroy();
  });

  test("uploads that are refused early do not take the region out of service", async (t) => {
    const main: RequestListener = (req, res) => {
      res.writeHead(413, { connection: "close" });
      res.end("too large");
      req.socket.destroySoon();
    };
    const { edge } = await scripted(t, { main });
    for (let i = 0; i < 8; i += 1) {
      const { body } = await request(edge.httpUrl, { method: "POST", body: Buffer.alloc(4_000_000) });
      await body.dump();
    }
    assert.equal(edge.table.view.byId.get("main")?.health, "up");
  });

  test("an upload that a region refuses and cuts off is refused in the region's words", async (t) => {
    const main: RequestListener = ({ socket }) => {
      socket.pause();
      socket.write("HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 9\r\n\r\ntoo large");
      // What it has not read makes the kernel answer with a reset.
      socket.destroySoon();
    };
    const { edge } = await scripted(t, { main });
    for (let i = 0; i < 10; i += 1) {
      const { statusCode, body } = await request(edge.httpUrl, {
        method: "POST",
        body: Buffer.alloc(4_000_000),
      });
      assert.deepEqual([statusCode, await body.text()], [413, "too large"]);
    }
  });

  test("a chunk that is no chunk ends the connection without a word into the answer under way", async (t) => {
    const { edge, records } = await scripted(t, { main: (_req, res) => void res.write("begun") });
    const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1");
    let text = "";
    let closed = false;
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      closed = true;
    });
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await eventually(() => text.includes("begun"));
    socket.write("not a chunk\r\n");
    await eventually(() => closed && records.length === 1);
    assert.match(text, /begun\r\n$/);
  });

  test("a stop waits for a write whose client has left", async (t) => {
    let finished = false;
    const main: RequestListener = (_req, res) => {
      setTimeout(() => {
        finished = !res.destroyed;
        res.end();
      }, 800);
    };
    const { edge } = await scripted(t, { main });
    const req = httpRequest(edge.httpUrl, { method: "POST" }).end();
    req.on("error", () => {});
    await sleep(100);
    req.destroy();
    const startedMs = systemClock.now();
    await edge.stop(5_000);
    assert.ok(finished);
    assert.ok(systemClock.now() - startedMs < 4_000);
  });

  test("a stopping edge is not ready, but still answers, and asks clients to close", async (t) => {
    const { edge } = await scripted(t, { main: ok });
    const stopped = edge.stop(3_000);
    const answer = await request(edge.httpUrl);
    await answer.body.dump();
    assert.equal(answer.headers.connection, "close");
    assert.equal((await request(`${edge.adminUrl}/readyz`)).statusCode, 503);
    await stopped;
  });

  test("a write whose answer has no end is not read for ever after its client has left", async (t) => {
    const main: RequestListener = (req, res) => {
      if (req.method === "GET") return void res.end("ok");
      const writing = setInterval(() => res.write("tick\n"), 20);
      res.on("close", () => clearInterval(writing));
    };
    const proxy = { connectionsPerEndpoint: 1, responseTimeout: "500ms" };
    const { edge, records } = await scripted(t, { main }, { proxy });
    const req = httpRequest(edge.httpUrl, { method: "POST" }).end();
    const [res] = (await once(req, "response")) as [IncomingMessage];
    res.on("error", () => {});
    req.destroy();
    await eventually(() => records.length === 1);
    assert.equal((await request(edge.httpUrl)).statusCode, 200);
  });

  test("an upgrade behind a request that is still being answered is ignored, as an offer may be", async (t) => {
    const main: RequestListener = (req, res) => void setTimeout(() => res.end(`answer to ${req.url}`), 200);
    const { edge } = await scripted(t, { main });
    const { text } = await sendRaw(
      edge.httpUrl,
      "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      { forMs: 1_500 },
    );
    assert.match(text, /answer to \/1[\s\S]*answer to \/2$/);
  });

  test("a retry that the budget refuses is not told of as made", async (t) => {
    const retryBudget = { percent: 0, floor: 0 };
    const { edge, records } = await scripted(t, { main: reset, other: ok }, { proxy: { retryBudget } });
    await (await request(edge.httpUrl)).body.dump();
    await eventually(() => records.length === 1);
    assert.deepEqual([records[0]?.status, records[0]?.region, records[0]?.reason], [502, "main", "priority"]);
  });

  test("neither an upgrade whose region never takes the connection nor half an admin call keeps a stop", async (t) => {
    const deaf = createServer((socket) => socket.on("error", () => {}));
    t.after(() => deaf.close());
    await once(deaf.listen(0, "127.0.0.1"), "listening");
    const { port } = deaf.address() as AddressInfo;
    const regions = { main: { role: "writer", endpoints: [`https://127.0.0.1:${port}`] } };
    const overrides = {
      regions,
      health: { interval: "400ms", timeout: "300ms" },
      proxy: { connectTimeout: "20s" },
    };
    const { edge } = await scripted(t, {}, overrides);
    const waiting = sendRaw(
      edge.httpUrl,
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      { forMs: 8_000 },
    );
    const half = sendRaw(edge.adminUrl, "GET /liv", { forMs: 8_000 });
    await sleep(200);
    const startedMs = systemClock.now();
    await edge.stop(500);
    assert.ok(systemClock.now() - startedMs < 5_000);
    await Promise.all([waiting, half]);
  });
});
