import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { WebSocket, WebSocketServer } from "ws";
import { stringify } from "yaml";
import type { SimulatedRegion } from "../../src/demo/simulated-region.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { closeFrame } from "../../src/proxy/frames.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { NEAREST_FIRST, startWorld } from "../support/world.ts";

const CLIENTS = 200;
const RESTART = 1012;
const GOING_AWAY = 1001;
const LONGER_THAN_THE_JITTER_MS = 5_300;

/** eu-west first, and it stays so: how far it seems to be does not count while this process is busy. */
async function setUp(t: TestContext, overrides: object = {}) {
  const world: SimulatedWorld = await startWorld({ regions: NEAREST_FIRST });
  t.after(() => world.stop());
  const edge = await startTestEdge(world, stringify({ routing: { policy: "priority" }, ...overrides }));
  t.after(() => edge.stop(0));
  return { world, edge };
}

async function say(edge: Edge, what: string, region = "eu-west", body: object = { reason: "a test" }) {
  const url = `${edge.adminUrl}/v1/regions/${region}/${what}`;
  const headers = { "content-type": "application/json" };
  const answer = await request(url, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.body.text();
  assert.equal(answer.statusCode, 200, text);
}

function open({ tunnels }: Edge): number {
  return [...tunnels.counts().values()].reduce((sum, count) => sum + count, 0);
}

/** What the servers of a region have seen. */
interface Seen {
  readonly codes: number[];
  readonly errors: string[];
  received: number;
}

/**
 * A region that never stops talking: messages of all sizes, some in fragments, compressed or not, each of one letter whose
 * place in the alphabet its length gives away.
 */
function chatter(region: SimulatedRegion): Seen {
  const seen: Seen = { codes: [], errors: [], received: 0 };
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: { threshold: 512 } });
  server.on("connection", (client) => {
    client.on("error", ({ message }) => seen.errors.push(message));
    client.on("message", (data) => {
      assert.ok(isWhole(data as Buffer));
      seen.received += 1;
    });
    client.on("close", (code) => seen.codes.push(code));
    const talk = (): void => {
      if (client.readyState !== WebSocket.OPEN) return;
      const length = Math.floor(Math.random() ** 4 * 60_000);
      const message = wholeOf(length);
      const compress = length % 2 === 0;
      client.send(message.subarray(0, length / 2), { fin: false, compress });
      client.send(message.subarray(length / 2), { fin: true, compress }, () => setTimeout(talk, 50));
    };
    talk();
  });
  region.onUpgrade = (request, socket, head) =>
    server.handleUpgrade(request, socket, head, (client) => server.emit("connection", client));
  return seen;
}

function wholeOf(length: number): Buffer {
  return Buffer.alloc(length, "abcdefghijklmnopqrstuvwxyz"[length % 26]);
}

function isWhole(data: Buffer): boolean {
  return data.equals(wholeOf(data.length));
}

/** A client that talks as well, and what it has seen of its end. */
interface Client {
  readonly socket: WebSocket;
  readonly errors: string[];
  received: number;
  broken: number;
  closed: { readonly code: number; readonly reason: string; readonly atMs: number } | null;
}

function dial({ httpUrl }: Edge): Client {
  const socket = new WebSocket(httpUrl.replace("http", "ws"), { perMessageDeflate: true });
  const client: Client = { socket, errors: [], received: 0, broken: 0, closed: null };
  socket.on("error", ({ message }) => client.errors.push(message));
  socket.on("message", (data: Buffer) => {
    client.received += 1;
    if (!isWhole(data)) client.broken += 1;
    if (client.received % 4 === 0 && socket.readyState === WebSocket.OPEN)
      socket.send(wholeOf(Math.floor(Math.random() * 2_000)));
  });
  socket.on("close", (code, reason) => {
    client.closed = { code, reason: reason.toString(), atMs: performance.now() };
  });
  return client;
}

async function dialAll(edge: Edge): Promise<readonly Client[]> {
  const clients = Array.from({ length: CLIENTS }, () => dial(edge));
  await Promise.all(clients.map(({ socket }) => once(socket, "open")));
  await eventually(() => clients.every(({ received }) => received > 2), { withinMs: 20_000 });
  assert.equal(open(edge), CLIENTS);
  return clients;
}

/** Every one of them was told to come back, at a time of its own, and got no broken frame before. */
function assertToldToComeBack(clients: readonly Client[], { spreadMs }: { readonly spreadMs: number }): void {
  assert.deepEqual([...new Set(clients.map(({ closed }) => closed?.code))], [RESTART]);
  assert.deepEqual([...new Set(clients.map(({ closed }) => closed?.reason))], ["please connect again"]);
  assert.deepEqual(
    clients.flatMap(({ errors }) => errors),
    [],
  );
  assert.equal(clients.filter(({ broken }) => broken > 0).length, 0);
  const times = clients.map(({ closed }) => closed?.atMs ?? 0);
  assert.ok(Math.max(...times) - Math.min(...times) > spreadMs, "they were not told all at once");
}

/** By the clients' answers; by the edge, of those who were too busy to answer in time. */
function assertRegionWasTold({ codes, errors }: Seen): void {
  assert.ok(codes.every((code) => code === RESTART || code === GOING_AWAY));
  assert.ok(codes.filter((code) => code === RESTART).length > CLIENTS / 2);
  assert.deepEqual(errors, []);
}

async function tunnelsGauge({ adminUrl }: Edge): Promise<string | undefined> {
  const text = await (await request(`${adminUrl}/metrics`)).body.text();
  return /^meridian_tunnels\{region="eu-west"\} (\d+)$/m.exec(text)?.[1];
}

/** A region that speaks raw bytes over its tunnels, so that a test can stop in the middle of a frame. */
function rawRegion(region: SimulatedRegion): Promise<Duplex> {
  return new Promise((resolve) => {
    region.onUpgrade = (_request, socket) => {
      socket.on("error", () => {});
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n");
      resolve(socket);
    };
  });
}

/** A client that speaks raw bytes; resolves when it has its 101. */
async function rawClient(t: TestContext, { httpUrl }: Edge) {
  const { port } = new URL(httpUrl);
  const socket: Socket = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  const got = bytesOf(socket);
  socket.write(
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
  );
  await eventually(() => got().includes("\r\n\r\n"));
  assert.match(got().toString("latin1"), /^HTTP\/1\.1 101 /);
  const tunnelled = () => got().subarray(got().indexOf("\r\n\r\n") + 4);
  return { socket, tunnelled };
}

/** All that has come; put together only when it is asked for. */
function bytesOf(socket: Duplex): () => Buffer {
  let chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => {
    const all = Buffer.concat(chunks);
    chunks = [all];
    return all;
  };
}

const TOLD = closeFrame(RESTART, "please connect again", { masked: false });

const CLOSED = { state: "closed", reason: "a test", by: "test", deadlineWallMs: null } as const;

/** A region that accepts upgrades when it is told to. */
function acceptLater(region: SimulatedRegion): (() => void)[] {
  const upgrades: (() => void)[] = [];
  const server = new WebSocketServer({ noServer: true });
  region.onUpgrade = (request, socket, head) => {
    upgrades.push(() => server.handleUpgrade(request, socket, head, (client) => client.send("")));
  };
  return upgrades;
}

/** They mostly wait for the jitter, so they wait together. */
describe("the end of a WebSocket", { concurrency: true }, () => {
  it("when a region is closed, its WebSockets in full flow are told to come back, one after the other", async (t) => {
    const { world, edge } = await setUp(t);
    const seen = chatter(world.region("eu-west"));
    const clients = await dialAll(edge);
    await say(edge, "close");
    await eventually(() => clients.every(({ closed }) => closed !== null), { withinMs: 20_000 });
    assertToldToComeBack(clients, { spreadMs: 1_000 });
    await eventually(() => seen.codes.length === CLIENTS);
    assertRegionWasTold(seen);
    assert.ok(seen.received > 0);
    await eventually(async () => (await tunnelsGauge(edge)) === "0" && open(edge) === 0);
    assert.ok(edge.table.status().every(({ requestsInFlight }) => requestsInFlight === 0));
  });

  it("a stopping edge tells WebSockets to come back before its grace is over, and not at once", async (t) => {
    const { world, edge } = await setUp(t, { shutdown: { grace: "6s" } });
    const seen = chatter(world.region("eu-west"));
    const clients = await dialAll(edge);
    const startedMs = performance.now();
    await edge.stop();
    assertToldToComeBack(clients, { spreadMs: 500 });
    const first = Math.min(...clients.map(({ closed }) => closed?.atMs ?? 0));
    assert.ok(first - startedMs > 2_500, "half of the grace is theirs");
    await eventually(() => seen.codes.length === CLIENTS);
    assertRegionWasTold(seen);
  });

  it("a frame in flight is let end first; nothing follows the close, and a client that does not answer is cut", async (t) => {
    const { world, edge } = await setUp(t);
    const joining = rawRegion(world.region("eu-west"));
    const client = await rawClient(t, edge);
    const region = await joining;
    const atRegion = bytesOf(region);
    const frame = Buffer.concat([Buffer.from([0x82, 126, 0x75, 0x30]), randomBytes(30_000)]);
    region.write(frame.subarray(0, 10_000));
    await eventually(() => client.tunnelled().length === 10_000);
    await say(edge, "close");
    await eventually(() => edge.table.view.byId.get("eu-west")?.admission === "closed");
    // It has been told to close, and waits.
    await sleep(LONGER_THAN_THE_JITTER_MS);
    assert.equal(client.tunnelled().length, 10_000);
    const after = Buffer.from([0x82, 1, 7]);
    region.write(Buffer.concat([frame.subarray(10_000), after, after]));
    await eventually(() => client.tunnelled().length >= 30_004 + TOLD.length);
    region.write(after);
    client.socket.write(Buffer.concat([Buffer.from([0x82, 0x80]), Buffer.alloc(4)]));
    await eventually(() => atRegion().length >= 6, { withinMs: 1_500 });
    await eventually(() => client.socket.closed || client.socket.readableEnded, { withinMs: 10_000 });
    assert.deepEqual(client.tunnelled(), Buffer.concat([frame, TOLD]));
    await eventually(() => open(edge) === 0);
    // The region gets a close under a mask, since the client gave none.
    const [opcode, length = 0, ...rest] = atRegion().subarray(6);
    assert.deepEqual([opcode, length], [0x88, 0x82]);
    const code = [4, 5].map((at) => (rest[at] ?? 0) ^ (rest[at - 4] ?? 0));
    assert.equal((code[0] ?? 0) * 256 + (code[1] ?? 0), GOING_AWAY);
  });

  it("who reads slowly keeps the region waiting, before a close and while one is due", async (t) => {
    const { world, edge } = await setUp(t);
    const joining = rawRegion(world.region("eu-west"));
    const client = await rawClient(t, edge);
    const region = await joining;
    client.socket.pause();
    const size = 32 * 1024 * 1024;
    const head = Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0]), Buffer.alloc(4)]);
    head.writeUInt32BE(size, 6);
    region.write(head);
    for (let sent = 0; sent < size; sent += 65_536) region.write(Buffer.alloc(65_536, 1));
    await eventually(() => region.writableLength < size && region.writableLength > size / 2);
    const before = region.writableLength;
    edge.tunnels.closeAll(0);
    await sleep(300);
    assert.ok(before - region.writableLength < 1024 * 1024, "the edge takes in no more than before");
    client.socket.resume();
    await eventually(() => client.tunnelled().length === head.length + size + TOLD.length, {
      withinMs: 9_000,
    });
    assert.deepEqual(client.tunnelled().subarray(-TOLD.length), TOLD);
  });

  it("a tunnel that is opened while its region closes is sent away", async (t) => {
    const { world, edge } = await setUp(t);
    const accept = acceptLater(world.region("eu-west"));
    const late = dial(edge);
    await eventually(() => accept.length === 1);
    await say(edge, "close");
    accept.pop()?.();
    await eventually(() => late.closed !== null, { withinMs: 10_000 });
    assert.equal(late.closed?.code, RESTART);
  });

  it("a tunnel whose region is open again stays, until the deadline of its next drain has passed", async (t) => {
    const { world, edge } = await setUp(t);
    const accept = acceptLater(world.region("eu-west"));
    const client = dial(edge);
    await eventually(() => accept.length === 1);
    accept.pop()?.();
    await eventually(() => client.received === 1);
    edge.table.setAdmissions(new Map([["eu-west", CLOSED]]));
    edge.table.setAdmissions(new Map());
    await sleep(LONGER_THAN_THE_JITTER_MS);
    assert.equal(client.socket.readyState, WebSocket.OPEN);
    await say(edge, "drain", "eu-west", { reason: "a test", deadline: "1s" });
    await eventually(() => client.closed !== null, { withinMs: 10_000 });
    assert.equal(client.closed?.code, RESTART);
  });
});
