import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { stringify } from "yaml";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { PinFeed } from "../../src/consistency/feed.ts";
import { RedisFeed } from "../../src/consistency/feed-redis.ts";
import { feedKey } from "../../src/consistency/feed-script.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { RedisPinStore, shardOf } from "../../src/consistency/redis.ts";
import { EventBus } from "../../src/events.ts";
import { COMMAND_TIMEOUT_MS, connectRedis, type RedisClient } from "../../src/redis.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const STRANGER = { carriesToken: false };
const INTENT_MS = 40_000;
const STALENESS_MS = 1_000;
const PATIENCE_MS = 10_000;

interface PinsOfAnEdge {
  readonly pins: Pins;
  readonly feed: PinFeed;
  readonly client: RedisClient;
}

let server: RedisServer;
const open: PinsOfAnEdge[] = [];
const closers: (() => void)[] = [];

beforeEach(async () => {
  server = await startRedis({ aged: true });
});

afterEach(async () => {
  for (const { pins, client } of open.splice(0)) {
    await pins.close();
    client.disconnect();
  }
  for (const close of closers.splice(0)) close();
  await server.stop();
});

/** The pins of one edge; its feed may come another way. Who sends a lot at once needs patience on a busy machine. */
async function edge({
  mode = "bounded",
  feedUrl = server.url,
  stalenessMs = STALENESS_MS,
  patienceMs = COMMAND_TIMEOUT_MS,
} = {}): Promise<PinsOfAnEdge> {
  const events = new EventBus();
  const client = connectRedis(server.url, "test", Math.random, patienceMs);
  const tells = () => mode === "bounded";
  const store = guardRedis(client, "meridian", { clock: systemClock, events, tells });
  const feed = new PinFeed({
    clock: systemClock,
    events,
    connect: () => new RedisFeed(feedUrl, "meridian", "test"),
  });
  const config = configSchema.parse({
    regions: {},
    consistency: { mode, staleness: `${stalenessMs}ms` },
  });
  const pins = new Pins(config, { clock: systemClock, events, store, feed });
  const made = { pins, feed, client };
  open.push(made);
  await store.ready(2_000);
  return made;
}

const isFresh = ({ feed }: PinsOfAnEdge) => eventually(() => feed.isFresh);
const length = async (pid: string) => Number((await count(`XLEN ${feedKey("meridian", shardOf(pid))}`)) ?? 0);
const count = async (command: string) => /^:(\d+)/.exec(await server.command(command))?.[1];

async function lookUps(): Promise<number> {
  return (await server.commandCounts()).get("pttl") ?? 0;
}

/** A way to Redis that can be cut. Whoever comes while it is cut is turned away. */
async function way(): Promise<{ readonly url: string; cut(): void; mend(): void }> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const proxy = createServer((near) => {
    const far = connect(server.port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    near.pipe(far).pipe(near);
    near.on("close", () => far.destroy());
    if (isCut) near.destroy();
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  closers.push(() => {
    cut();
    proxy.close();
  });
  const mend = () => {
    isCut = false;
  };
  return { url: `redis://127.0.0.1:${typeof address === "object" ? address?.port : 0}`, cut, mend };
}

describe("a write through one edge in mode bounded", () => {
  it("is known to another soon, and from then on nobody's reads there cost a look-up", async () => {
    const [here, there] = [await edge(), await edge({ stalenessMs: 5_000 })];
    await Promise.all([here, there].map(isFresh));
    await server.command("CONFIG RESETSTAT");
    await here.pins.open(["user", "session"]).acknowledged;
    const isKnown = (pid: string) => there.pins.known([pid], null).pin === "pinned";
    await eventually(() => isKnown("user") && isKnown("session"), { withinMs: STALENESS_MS * 3 });
    for (let i = 0; i < 50; i += 1) {
      assert.equal(there.pins.known(["session"], null).pin, "pinned");
      assert.equal((await there.pins.read([`nobody${i}`], STRANGER)).pin, "free");
    }
    assert.equal(await lookUps(), 0);
  });

  it("is known to one that starts later", async () => {
    const here = await edge();
    await here.pins.open(["user"]).acknowledged;
    const late = await edge();
    await isFresh(late);
    assert.equal(late.pins.known(["user"], null).pin, "pinned");
  });

  it("is told once for each identity, and its end only when it comes later", async () => {
    const here = await edge();
    await server.command("CONFIG RESETSTAT");
    const pin = here.pins.open(["login", "browser"]);
    await pin.acknowledged;
    pin.settle("committed");
    await eventually(async () => ((await here.pins.inspect("browser"))?.remainingMs ?? INTENT_MS) < 15_000);
    assert.equal((await server.commandCounts()).get("xadd"), 2);
    const store = new RedisPinStore(here.client, "meridian", () => true);
    await store.end(["browser"], "other.1", 15_000);
    await store.end(["browser"], "other.1", 30_000);
    await store.end(["browser"], "other.1", 0);
    assert.equal((await server.commandCounts()).get("xadd"), 4);
  });

  it("is missed by no read, whatever else is written meanwhile", async () => {
    const [here, there] = [await edge({ patienceMs: PATIENCE_MS }), await edge()];
    await Promise.all([here, there].map(isFresh));
    for (let round = 0; round < 5; round += 1) {
      const pids = Array.from({ length: 2_000 }, (_, i) => `${round}user${i}`);
      await Promise.all(pids.map((pid) => here.pins.open([pid]).acknowledged));
      const recordedAtMs = performance.now();
      const late = () => performance.now() - recordedAtMs > STALENESS_MS;
      await eventually(() => late() || there.feed.held >= (round + 1) * 2_000);
      for (const pid of pids) assert.equal((await there.pins.read([pid], STRANGER)).pin, "pinned");
    }
  });
});

describe("the feed in Redis", () => {
  it("is not written in mode strict, and not read", async () => {
    const here = await edge({ mode: "strict" });
    const pin = here.pins.open(["user"]);
    await pin.acknowledged;
    pin.settle("committed");
    await here.pins.read(["other"], STRANGER);
    const counts = await server.commandCounts();
    assert.deepEqual([counts.get("xadd"), counts.get("xread")], [undefined, undefined]);
    assert.equal(await count("EXISTS {meridian:0}:feed"), "0");
  });

  it("is trimmed of what is over, and of nothing else", async () => {
    const here = await edge({ patienceMs: PATIENCE_MS });
    const store = new RedisPinStore(here.client, "meridian", () => true);
    const write = (ttlMs: number, n: number) =>
      Promise.all(Array.from({ length: n }, (_, i) => store.begin(["user"], `other.${ttlMs}.${i}`, ttlMs)));
    await write(50, 1_000);
    await sleep(100);
    await eventually(async () => {
      await write(51, 20);
      return (await length("user")) < 300;
    });
    await store.begin(["user"], "other.live", INTENT_MS);
    await write(50, 500);
    await sleep(100);
    await write(50, 500);
    const late = await edge();
    await eventually(() => late.feed.holds(["user"]));
  });

  it("is asked for a few times a second when it is idle, and not for each write when it is not", async () => {
    const [here, there] = [await edge(), await edge({ mode: "strict", patienceMs: PATIENCE_MS })];
    await isFresh(here);
    await server.command("CONFIG RESETSTAT");
    const startMs = performance.now();
    await sleep(1_000);
    const idle = (await server.commandCounts()).get("xread") ?? 0;
    const seconds = (performance.now() - startMs) / 1_000;
    assert.ok(idle > 0 && idle <= 8 * seconds, `${idle} reads in ${seconds} idle seconds`);
    const store = new RedisPinStore(there.client, "meridian", () => true);
    await server.command("CONFIG RESETSTAT");
    const busyFromMs = performance.now();
    let writes = 0;
    for (; performance.now() < busyFromMs + 1_000 || writes < 1_000; writes += 1)
      await store.begin(["user"], `other.${writes}`, INTENT_MS);
    const busy = (await server.commandCounts()).get("xread") ?? 0;
    const busySeconds = (performance.now() - busyFromMs) / 1_000;
    // What is gathered is gathered for a time: a machine that writes slowly has as many reads, for fewer writes.
    assert.ok(busy <= 50 * busySeconds + 2, `${busy} reads for ${writes} writes in ${busySeconds} seconds`);
  });
});

describe("an edge whose feed is cut", () => {
  it("asks Redis for each read once its staleness is over, and resumes without a gap", async () => {
    const road = await way();
    const [here, there] = [await edge(), await edge({ feedUrl: road.url })];
    await isFresh(there);
    road.cut();
    await here.pins.open(["meanwhile"]).acknowledged;
    await eventually(() => !there.feed.isFresh, { withinMs: STALENESS_MS * 3 });
    await server.command("CONFIG RESETSTAT");
    assert.equal((await there.pins.read(["meanwhile"], STRANGER)).pin, "pinned");
    assert.equal((await there.pins.read(["nobody"], STRANGER)).pin, "free");
    assert.equal(await lookUps(), 2);

    road.mend();
    await isFresh(there);
    assert.equal(there.pins.known(["meanwhile"], null).pin, "pinned");
    assert.equal((await there.pins.read(["nobody"], STRANGER)).pin, "free");
    assert.equal(await lookUps(), 2);
  });

  it("reads it again from the start when it finds another Redis behind it", async () => {
    const road = await way();
    const there = await edge({ feedUrl: road.url });
    await isFresh(there);
    road.cut();
    await server.command("SET meridian:born another");
    // As a server would whose clock is behind: before all that was read.
    const key = feedKey("meridian", shardOf("user"));
    await server.command(`DEL ${key}`);
    const added = await server.command(`XADD ${key} 1-1 u user d ${Date.now() + INTENT_MS} w other.1`);
    assert.match(added, /1-1/);
    road.mend();
    await eventually(() => there.feed.holds(["user"]));
  });
});

describe("over a Redis that stands still", () => {
  it("a read is free no longer than the staleness after it last was proven so", async () => {
    const [here, there] = [await edge(), await edge()];
    await Promise.all([here, there].map(isFresh));
    server.pause();
    const pausedAtMs = performance.now();
    const seen: string[] = [];
    while (performance.now() - pausedAtMs < STALENESS_MS * 2) {
      const askedAtMs = performance.now();
      const { pin: answer } = await there.pins.read(["nobody"], STRANGER);
      if (askedAtMs - pausedAtMs > STALENESS_MS) seen.push(answer);
    }
    assert.ok(seen.length > 0);
    assert.equal(seen.includes("free"), false);
    server.resume();
    await isFresh(there);
  });

  it("or is empty when it is back, others' pins are still known", async () => {
    const [here, there] = [await edge(), await edge()];
    await here.pins.open(["user"]).acknowledged;
    await eventually(() => there.pins.known(["user"], null).pin === "pinned");
    await server.restart();
    await eventually(async () => (await there.pins.read(["other"], STRANGER)).pin === "unknown");
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "pinned");
    await isFresh(there);
    assert.equal((await there.pins.read(["other"], STRANGER)).pin, "unknown", "in quarantine");
    await here.pins.open(["later"]).acknowledged;
    await eventually(() => there.pins.known(["later"], null).pin === "pinned");
  });
});

test("in mode bounded another device reads its user's write after the staleness at the latest", async (t) => {
  const world = await startWorld({ lagMs: 800 });
  t.after(() => world.stop());
  const urls: string[] = [];
  for (const id of ["one", "two"]) {
    const consistency = { mode: "bounded", staleness: "500ms" };
    // A busy machine makes the replica lag more than it was told to; it is to be a choice all the same.
    const health = { maxLag: "10s" };
    const yaml = stringify({ edge: { id }, redis: { url: server.url }, consistency, health });
    const started = await startTestEdge(world, yaml);
    t.after(() => started.stop(0));
    urls.push(started.httpUrl);
  }
  const ask = async (url: string | undefined, method: "GET" | "PUT", user: string) => {
    const answer = await request(`${url}/items/a`, { method, headers: { authorization: user } });
    const { version } = (await answer.body.json()) as { version?: number };
    return { version, region: answer.headers["x-meridian-region"] };
  };
  const [one, two] = urls;
  await eventually(async () => {
    await server.command("CONFIG RESETSTAT");
    await ask(two, "GET", "passer-by");
    return (await lookUps()) === 0;
  });
  for (let i = 1; i <= 3; i += 1) {
    assert.equal((await ask(one, "PUT", `user${i}`)).version, i);
    await sleep(500);
    assert.deepEqual(await ask(two, "GET", `user${i}`), { version: i, region: "us-east" });
  }
  assert.equal((await ask(two, "GET", "passer-by")).region, "eu-west");
});
