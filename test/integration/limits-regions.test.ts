import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { RequestRecord } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

interface World extends ScriptedWorld {
  readonly records: readonly RequestRecord[];
  /** Requests that each region holds unanswered. */
  readonly held: Readonly<Record<string, readonly (() => void)[]>>;
  /** Answers all that a region holds. */
  release(region: string): void;
}

/** Regions that answer `/held` only when they are told to, and anything else at once. */
async function worldOf(
  t: TestContext,
  regions: readonly string[],
  overrides: Readonly<Record<string, unknown>>,
): Promise<World> {
  const held: Record<string, (() => void)[]> = Object.fromEntries(regions.map((region) => [region, []]));
  const handlerOf =
    (region: string): RequestListener =>
    (req, res) => {
      req.resume();
      if (req.url === "/held") held[region]?.push(() => res.end("late"));
      else res.end("ok");
    };
  const handlers = Object.fromEntries(regions.map((region) => [region, handlerOf(region)]));
  const world = await startScripted(handlers, overrides);
  t.after(() => world.stop());
  const records: RequestRecord[] = [];
  world.edge.events.on("requestDone", (record) => records.push(record));
  const release = (region: string): void => {
    for (const answer of held[region]?.splice(0) ?? []) answer();
  };
  return { ...world, records, held, release };
}

async function answerOf({ edge }: World, path = "/", method: "GET" | "POST" = "GET", headers = {}) {
  const { statusCode, headers: said, body } = await request(`${edge.httpUrl}${path}`, { method, headers });
  const text = await body.text();
  const fault = statusCode >= 500 ? (JSON.parse(text) as { fault: string }).fault : null;
  return {
    status: statusCode,
    region: said["x-meridian-region"],
    retryAfter: said["retry-after"],
    fault,
    text,
  };
}

async function metricsOf({ edge }: World): Promise<string> {
  return (await request(`${edge.adminUrl}/metrics`)).body.text();
}

const BUSY = { requestsPerRegion: 1, queue: { length: 1, timeout: "400ms" } };

describe("what a region may be burdened with", { concurrency: 4 }, () => {
  test("a request waits for a region that has as many as it may, and goes in when one ends", async (t) => {
    const world = await worldOf(t, ["main"], { limits: { ...BUSY, queue: { length: 1, timeout: "20s" } } });
    const first = answerOf(world, "/held");
    await eventually(() => world.held.main?.length === 1);
    const second = answerOf(world, "/", "POST");
    await eventually(async () => {
      const metrics = await metricsOf(world);
      assert.match(metrics, /^meridian_requests_in_flight\{region="main"\} 1$/m);
      assert.match(metrics, /^meridian_requests_queued\{region="main"\} 1$/m);
    });
    const third = await answerOf(world);
    assert.deepEqual(
      [third.status, third.fault, third.retryAfter],
      [503, "region_busy", "1"],
      "the queue is short",
    );
    world.release("main");
    assert.deepEqual([(await first).text, (await second).status], ["late", 200]);
    assert.equal(world.edge.table.view.byId.get("main")?.health, "up", "nobody blames the region");
    assert.match(
      await metricsOf(world),
      /^meridian_faults_total\{fault="region_busy",owner="router",region="main"\} 1$/m,
    );
  });

  test("a read that may be served elsewhere is, when its region stays busy; a write and a pinned read are not", async (t) => {
    const world = await worldOf(t, ["main", "other"], {
      limits: BUSY,
      proxy: { retryBudget: { percent: 0, floor: 0 } },
    });
    const alice = { authorization: "Bearer alice" };
    assert.equal((await answerOf(world, "/", "POST", alice)).status, 200);
    const holding = answerOf(world, "/held");
    await eventually(() => world.held.main?.length === 1);
    const read = await answerOf(world);
    assert.deepEqual([read.status, read.region], [200, "other"]);
    const pinned = await answerOf(world, "/", "GET", alice);
    assert.deepEqual([pinned.status, pinned.fault], [503, "region_busy"]);
    const write = await answerOf(world, "/", "POST");
    assert.deepEqual([write.status, write.fault], [503, "region_busy"]);
    world.release("main");
    assert.equal((await holding).text, "late");
    assert.equal((await answerOf(world, "/", "POST")).region, "main");
    const spilt = world.records.find(({ region, method }) => region === "other" && method === "GET");
    assert.deepEqual(
      spilt?.attempts.map(({ region, outcome }) => `${region} ${outcome}`),
      ["main region_busy", "other 200"],
    );
  });

  test("who waits for a region and leaves frees its place, and no region hears of it", async (t) => {
    const world = await worldOf(t, ["main"], { limits: { ...BUSY, queue: { length: 1, timeout: "20s" } } });
    const first = answerOf(world, "/held");
    await eventually(() => world.held.main?.length === 1);
    const req = httpRequest(`${world.edge.httpUrl}/held`).end();
    req.on("error", () => {});
    await eventually(async () =>
      /^meridian_requests_queued\{region="main"\} 1$/m.test(await metricsOf(world)),
    );
    req.destroy();
    await eventually(() => world.records.length === 1);
    const second = answerOf(world, "/held");
    world.release("main");
    await first;
    await eventually(() => world.held.main?.length === 1);
    world.release("main");
    assert.equal((await second).text, "late");
  });

  test("who waits for a connection is counted as waiting for the region, too", async (t) => {
    const world = await worldOf(t, ["main"], {
      proxy: { connectionsPerEndpoint: 1, connectTimeout: "20s" },
    });
    const first = answerOf(world, "/held");
    await eventually(() => world.held.main?.length === 1);
    const second = answerOf(world);
    await eventually(async () =>
      assert.match(await metricsOf(world), /^meridian_requests_queued\{region="main"\} 1$/m),
    );
    world.release("main");
    assert.deepEqual([(await first).text, (await second).text], ["late", "ok"]);
  });

  /** Sends the head of an upload, and then so little that it never ends. */
  function drip({ edge }: World): Socket {
    const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write("POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    const dripping = setInterval(() => socket.write("."), 100);
    socket.on("close", () => clearInterval(dripping));
    return socket;
  }

  test("uploads that drip leave half of the connections to everybody else, and are cut", async (t) => {
    const world = await worldOf(t, ["main"], {
      limits: { slowBodies: { bytesPerSecond: 1_000, grace: "1500ms" } },
      proxy: { connectionsPerEndpoint: 4, connectTimeout: "1s" },
    });
    const drips = Array.from({ length: 12 }, () => drip(world));
    t.after(() => drips.forEach((socket) => void socket.destroy()));
    await eventually(() => world.held.main?.length === 2);
    for (let i = 0; i < 10; i += 1) {
      const { statusCode, body } = await request(world.edge.httpUrl, {
        method: "POST",
        body: "small".repeat(i),
      });
      assert.equal(statusCode, 200);
      await body.dump();
    }
    await eventually(() => drips.every(({ closed }) => closed), { withinMs: 10_000 });
    const ends = world.records.filter(({ path }) => path === "/held").map(({ fault }) => fault);
    assert.equal(ends.length, 12);
    assert.ok(ends.includes("request_timeout") && ends.includes("no_connection"), ends.join(" "));
    assert.equal(world.edge.table.view.byId.get("main")?.health, "up");
  });

  test("a body that drips is told 408 in the end", async (t) => {
    const world = await worldOf(t, ["main"], {
      limits: { slowBodies: { bytesPerSecond: 1_000, grace: "500ms" } },
    });
    const { text, closed } = await sendRaw(
      world.edge.httpUrl,
      "POST /held HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n.\r\n",
      { forMs: 10_000 },
    );
    assert.match(text, /^HTTP\/1\.1 408 .*"fault":"request_timeout"/s);
    assert.notEqual(closed, "open");
  });

  test("a body may be as slow as it likes once the region answers it", async (t) => {
    const echo: RequestListener = (req, res) => void req.pipe(res);
    const limits = { slowBodies: { bytesPerSecond: 1_000, grace: "1s" } };
    const world = await startScripted({ main: echo }, { limits, proxy: { connectionsPerEndpoint: 1 } });
    t.after(() => world.stop());
    const req = httpRequest(world.edge.httpUrl, { method: "POST" });
    t.after(() => req.destroy());
    req.write("a");
    const [res] = (await once(req, "response")) as [IncomingMessage];
    let text = "";
    res.on("data", (chunk) => {
      text += String(chunk);
    });
    for (const letter of ["b", "c"]) {
      await sleep(1_200);
      req.write(letter);
      await eventually(() => text.endsWith(letter));
    }
    req.end();
    await once(res, "end");
    assert.deepEqual([text, res.complete], ["abc", true]);
  });

  test("clients that do not read give way when others need their connections", async (t) => {
    const big: RequestListener = (req, res) =>
      void res.end(req.url === "/big" ? Buffer.alloc(50_000_000) : "ok");
    const proxy = { connectionsPerEndpoint: 2, connectTimeout: "20s" };
    const world = await startScripted({ main: big }, { proxy });
    t.after(() => world.stop());
    const records: RequestRecord[] = [];
    world.edge.events.on("requestDone", (record) => records.push(record));
    const readers = [1, 2].map(() => httpRequest(`${world.edge.httpUrl}/big`).end());
    t.after(() => readers.forEach((reader) => void reader.destroy()));
    for (const reader of readers) {
      const [res] = (await once(reader, "response")) as [IncomingMessage];
      res.pause();
      res.on("error", () => {});
    }
    await eventually(
      async () => {
        const { statusCode, body } = await request(world.edge.httpUrl, { headersTimeout: 1_000 });
        await body.dump();
        assert.equal(statusCode, 200);
      },
      { withinMs: 20_000 },
    );
    await eventually(() => records.some(({ path }) => path === "/big"));
    const cut = records.filter(({ path }) => path === "/big").map(({ fault, complete }) => [fault, complete]);
    assert.deepEqual(cut[0], ["request_timeout", false]);
  });
});
