import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { WorldControl } from "../../src/demo/control.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

const LAG_MS = 400;
let world: SimulatedWorld;

beforeEach(async () => {
  world = await startWorld({ lagMs: LAG_MS });
});
afterEach(() => world.stop());

async function ask(region: string, path: string, init: RequestInit = {}) {
  const response = await fetch(`${world.region(region).url}${path}`, init);
  return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
}

const write = (key: string, headers: Record<string, string> = {}) =>
  ask("us-east", `/items/${key}`, { method: "PUT", body: "x", headers });

test("a write is at the writer at once and at a replica after the replication lag", async () => {
  const startedMs = performance.now();
  assert.deepEqual((await write("a")).body, { region: "us-east", key: "a", version: 1 });
  assert.equal((await ask("us-east", "/items/a")).body.version, 1);
  assert.equal((await ask("eu-west", "/items/a")).body.version, 0);
  await eventually(async () => (await ask("eu-west", "/items/a")).body.version === 1);
  assert.ok(performance.now() - startedMs >= LAG_MS);
});

test("a replica answers an unsafe method with 421 and executes nothing", async () => {
  // Not fetch: it sends a request that was answered 421 once more on another connection.
  const { text } = await sendRaw(
    world.region("eu-west").url,
    "POST /items/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx",
  );
  assert.match(text, /^HTTP\/1\.1 421 /);
  assert.equal(world.writer.version("a"), 0);
  assert.equal(world.ledger.summary().executed, 0);
  assert.equal(world.ledger.summary().misdirected, 1);
});

test("a writer of a newer epoch answers 421 to a write of an older one", async () => {
  world.epoch = 3;
  assert.equal((await write("a", { "x-meridian-write-epoch": "2" })).status, 421);
  assert.equal(world.writer.version("a"), 0);
  assert.equal((await write("a", { "x-meridian-write-epoch": "3" })).status, 200);
});

test("the ledger counts each request id that was executed, and names those executed twice", async () => {
  await write("a", { "x-request-id": "one" });
  await write("a", { "x-request-id": "two" });
  await write("a", { "x-request-id": "two" });
  const { body } = await ask("ap-south", "/ledger");
  assert.equal(body.executed, 3);
  assert.deepEqual(body.duplicates, ["two"]);
});

test("a write says that it wrote, and where it stands in the log", async () => {
  const { headers } = await write("a");
  assert.equal(headers.get("x-meridian-wrote"), "1");
  assert.equal(headers.get("x-meridian-position"), "1:0000000000000001");
});

test("a probe is answered with role, epoch, position and lag", async () => {
  await write("a");
  assert.deepEqual((await ask("us-east", "/healthz")).body, {
    status: "ok",
    writer: true,
    epoch: 1,
    applied: "0000000000000001",
    lagMs: 0,
  });
  const replica = await ask("eu-west", "/healthz");
  assert.equal(replica.body.applied, "0000000000000000");
  await eventually(async () => (await ask("eu-west", "/healthz")).body.lagMs >= LAG_MS);
});

test("a killed region refuses connections and comes back on the same port with its data", async () => {
  const region = world.region("us-east");
  const { url } = region;
  await write("a");
  await region.kill();
  await assert.rejects(fetch(`${url}/items/a`));
  await region.heal();
  assert.equal(region.url, url);
  assert.equal((await ask("us-east", "/items/a")).body.version, 1);
});

test("a write that was on its way when the region was killed is not executed afterwards", async () => {
  world.writer.slow(400);
  const cut = assert.rejects(write("a"));
  await sleep(100);
  await world.writer.kill();
  await cut;
  await sleep(400);
  assert.equal(world.writer.version("a"), 0);
});

test("a black hole accepts and never answers, until it is healed", async () => {
  const region = world.region("eu-west");
  region.blackhole();
  const { text, closed } = await sendRaw(region.url, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", {
    forMs: 300,
  });
  assert.deepEqual([text, closed], ["", "open"]);
  await region.heal();
  assert.equal((await ask("eu-west", "/healthz")).status, 200);
});

test("a region can fail its traffic and pass its probes, or the other way round", async () => {
  const region = world.region("eu-west");
  region.ail({ trafficStatus: 503 });
  assert.equal((await ask("eu-west", "/items/a")).status, 503);
  assert.equal((await ask("eu-west", "/healthz")).status, 200);
  await region.heal();
  region.ail({ probeStatus: 500 });
  assert.equal((await ask("eu-west", "/items/a")).status, 200);
  assert.equal((await ask("eu-west", "/healthz")).status, 500);
});

test("the simulated delay is added to every answer, probes too", async () => {
  world.region("eu-west").slow(250);
  const startedMs = performance.now();
  await ask("eu-west", "/healthz");
  assert.ok(performance.now() - startedMs >= 245);
});

test("an echo shows what arrived", async () => {
  const { body } = await ask("eu-west", "/echo?q=1", {
    method: "POST",
    body: "hello",
    headers: { "x-a": "b" },
  });
  assert.deepEqual([body.method, body.url, body.bytes, body.body], ["POST", "/echo?q=1", 5, "hello"]);
  assert.equal(body.headers["x-a"], "b");
});

test("bytes are streamed in the length asked for", async () => {
  const response = await fetch(`${world.region("eu-west").url}/bytes?n=1000003`);
  assert.equal((await response.arrayBuffer()).byteLength, 1_000_003);
});

test("events are streamed one by one", async () => {
  const leave = new AbortController();
  const response = await fetch(`${world.region("eu-west").url}/events?every=10`, { signal: leave.signal });
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    if (text.includes("id: 3")) break;
  }
  leave.abort();
  assert.match(text, /^id: 1\ndata: {"region":"eu-west","count":1}\n\nid: 2\n/);
});

test("a region that was given a WebSocket echo greets and echoes", async () => {
  const region = world.region("eu-west");
  acceptWebSockets(region);
  const socket = new WebSocket(`${region.url.replace("http", "ws")}/ws`);
  const [greeting] = await once(socket, "message");
  assert.equal(String(greeting), '{"region":"eu-west"}');
  socket.send("hello");
  const [echoed] = await once(socket, "message");
  assert.equal(String(echoed), "hello");
  socket.terminate();
});

test("the control server breaks and heals regions by name", async () => {
  const control = new WorldControl(world);
  const url = await control.listen(0);
  try {
    await fetch(`${url}/eu-west/kill`, { method: "POST" });
    assert.equal(world.region("eu-west").listening, false);
    await fetch(`${url}/eu-west/heal`, { method: "POST" });
    assert.equal(world.region("eu-west").listening, true);
    assert.equal((await fetch(`${url}/mars/kill`, { method: "POST" })).status, 404);
    assert.equal((await fetch(`${url}/eu-west/constructor`, { method: "POST" })).status, 404);
  } finally {
    await control.stop();
  }
});
