import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { type RawData, WebSocket } from "ws";
import { stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import type { RequestRecord } from "../../src/events.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { startRedis } from "../support/redis.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

const HANDSHAKE =
  "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async function setUp(t: TestContext, overrides: Record<string, unknown> = {}) {
  const world: SimulatedWorld = await startWorld();
  t.after(() => world.stop());
  for (const region of world.regions) acceptWebSockets(region);
  const edge = await startTestEdge(world, stringify(overrides));
  t.after(() => edge.stop(0));
  const records: RequestRecord[] = [];
  edge.events.on("requestDone", (record) => records.push(record));
  return { world, edge, records };
}

function dial({ httpUrl }: Edge, headers: Record<string, string> = {}): WebSocket {
  const socket = new WebSocket(`${httpUrl.replace("http", "ws")}/ws?room=1`, { headers });
  socket.on("error", () => {});
  return socket;
}

async function greeting(socket: WebSocket): Promise<{ region: string }> {
  const [data] = (await once(socket, "message")) as [RawData];
  return JSON.parse(data.toString());
}

function open({ tunnels }: Edge): number {
  return [...tunnels.counts().values()].reduce((sum, count) => sum + count, 0);
}

test("a WebSocket goes to the nearest region and carries text and bytes both ways", async (t) => {
  const { edge, records } = await setUp(t);
  const socket = dial(edge);
  const [[response]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as [
    [{ headers: Record<string, string> }],
    unknown,
  ];
  assert.equal(response.headers["x-meridian-region"], "eu-west");
  assert.equal(response.headers["x-meridian-reason"], "latency");
  assert.match(String(response.headers["set-cookie"]), /meridian_affinity=/);
  const big = Buffer.alloc(300_000, 7);
  const echoes: Buffer[] = [];
  socket.on("message", (data: Buffer, isBinary: boolean) => isBinary && echoes.push(data));
  socket.send(big);
  await eventually(() => echoes.length === 1);
  assert.ok(echoes[0]?.equals(big));
  assert.equal(open(edge), 1);
  socket.close(1000);
  await once(socket, "close");
  await eventually(() => open(edge) === 0 && records.length === 1);
  assert.deepEqual(
    [records[0]?.status, records[0]?.protocol, records[0]?.region],
    [101, "websocket", "eu-west"],
  );
  assert.equal(edge.table.status().find(({ id }) => id === "eu-west")?.requestsInFlight, 0);
});

test("a pinned user's WebSocket goes to the writer", async (t) => {
  const { edge } = await setUp(t);
  const headers = { authorization: "Bearer alice" };
  await fetch(`${edge.httpUrl}/items/a`, { method: "PUT", headers });
  const socket = dial(edge, headers);
  assert.equal((await greeting(socket)).region, "us-east");
  socket.terminate();
});

test("a region that refuses the upgrade is heard", async (t) => {
  const { edge, world, records } = await setUp(t);
  world.region("eu-west").onUpgrade = (_request, socket) => {
    socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nx-meridian-principal: u\r\n\r\nno");
  };
  const socket = dial(edge);
  const [, response] = (await once(socket, "unexpected-response")) as [
    unknown,
    { statusCode: number; headers: Record<string, string> },
  ];
  assert.equal(response.statusCode, 403);
  assert.equal(response.headers["x-meridian-principal"], undefined);
  assert.equal(response.headers["x-meridian-region"], "eu-west");
  await eventually(() => records.length === 1 && open(edge) === 0);
});

test("an upgrade to a region that is gone goes to the next one", async (t) => {
  const { edge, world, records } = await setUp(t);
  await world.region("eu-west").kill();
  const socket = dial(edge);
  assert.equal((await greeting(socket)).region, "us-east");
  socket.terminate();
  await eventually(() => records.length === 1);
  assert.deepEqual(
    records[0]?.attempts.map(({ region, outcome }) => `${region} ${outcome}`),
    ["eu-west connect_failed", "us-east 101"],
  );
});

test("an upgrade that no region takes is a 502 with a reason", async (t) => {
  const { edge, world } = await setUp(t);
  for (const region of world.regions) await region.kill();
  const socket = dial(edge);
  const [, response] = (await once(socket, "unexpected-response")) as [
    unknown,
    { statusCode: number; headers: Record<string, string> },
  ];
  assert.equal(response.statusCode, 502);
  assert.equal(response.headers["content-type"], "application/problem+json");
});

test("an upgrade that may write waits for its pin, and is refused when the operator wants it recorded", async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const { edge } = await setUp(t, {
    redis: { url: redis.url },
    routing: { paths: [{ path: "/ws", as: "write" }] },
    consistency: { onRedisDown: { writes: "reject" } },
  });
  const socket = dial(edge, { authorization: "Bearer alice" });
  assert.equal((await greeting(socket)).region, "us-east");
  socket.terminate();
  await redis.kill();
  const refused = dial(edge, { authorization: "Bearer alice" });
  const [, response] = (await once(refused, "unexpected-response")) as [unknown, { statusCode: number }];
  assert.equal(response.statusCode, 503);
});

test("stopping cuts upgrades in every phase", async (t) => {
  const { edge, world } = await setUp(t);
  world.region("eu-west").onUpgrade = () => {};
  const waiting = dial(edge);
  const refused = sendRaw(
    edge.httpUrl,
    `${HANDSHAKE.replace("x\r\n", "x\r\nVia: 1.1 meridian-edge-under-test\r\n")}`,
    { forMs: 10_000 },
  );
  await eventually(() => edge.table.status().some(({ requestsInFlight }) => requestsInFlight === 1));
  const startedMs = performance.now();
  await edge.stop(500);
  assert.ok(performance.now() - startedMs < 4_000);
  assert.match((await refused).text, /^HTTP\/1\.1 508 /);
  waiting.terminate();
});

test("a client that vanishes closes the region's side, and the other way round", async (t) => {
  const { edge, world } = await setUp(t);
  const sockets = Array.from({ length: 20 }, () => dial(edge));
  await Promise.all(sockets.map((socket) => greeting(socket)));
  assert.equal(open(edge), 20);
  for (const socket of sockets.slice(0, 10)) socket.terminate();
  await eventually(() => open(edge) === 10);
  const closed = sockets.slice(10).map((socket) => once(socket, "close"));
  await world.region("eu-west").kill();
  await Promise.all(closed);
  await eventually(() => open(edge) === 0);
});

test("a client that leaves before the region has agreed is noticed at once", async (t) => {
  const { edge, world, records } = await setUp(t, { proxy: { responseTimeout: "60s" } });
  world.region("eu-west").onUpgrade = () => {};
  for (const leave of ["end", "destroy"] as const) {
    const socket = connect(Number(new URL(edge.httpUrl).port), "127.0.0.1", () => socket.write(HANDSHAKE));
    socket.on("error", () => {});
    await eventually(() => edge.table.status().some(({ requestsInFlight }) => requestsInFlight === 1));
    socket[leave]();
    await eventually(() => edge.table.status().every(({ requestsInFlight }) => requestsInFlight === 0));
    socket.destroy();
  }
  assert.deepEqual(
    records.map(({ fault }) => fault),
    ["client_gone", "client_gone"],
  );
});

test("what a client says before the region has agreed reaches it once it has", async (t) => {
  const { edge, world } = await setUp(t);
  const accept = world.region("eu-west").onUpgrade;
  world.region("eu-west").onUpgrade = (...given) => void setTimeout(() => accept?.(...given), 100);
  const { text } = await sendRaw(edge.httpUrl, `${HANDSHAKE}\x88\x80\0\0\0\0`, { forMs: 3_000 });
  assert.match(text, /^HTTP\/1\.1 101 /);
  assert.ok(text.includes("\x88"), "the region has read the close frame and answered it");
});

test("silence on both sides for the idle time ends a tunnel", async (t) => {
  const { edge } = await setUp(t, { proxy: { idleTimeout: "1s" } });
  const socket = dial(edge);
  await once(socket, "open");
  await once(socket, "close");
  await eventually(() => open(edge) === 0);
});

test("an offer to speak h2c is ignored and the request served", async (t) => {
  const { edge } = await setUp(t);
  const { text } = await sendRaw(
    edge.httpUrl,
    "GET /items/a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n",
  );
  assert.match(text, /^HTTP\/1\.1 200 /);
});

test("a client that resets in the middle of its handshake harms nobody", async (t) => {
  const { edge, world } = await setUp(t);
  world.region("eu-west").onUpgrade = () => {};
  for (let i = 0; i < 10; i += 1) {
    await sendRaw(edge.httpUrl, HANDSHAKE, { forMs: 30 });
  }
  assert.equal((await fetch(`${edge.httpUrl}/items/a`)).status, 200);
  await eventually(() => edge.table.status().every(({ requestsInFlight }) => requestsInFlight === 0));
});
