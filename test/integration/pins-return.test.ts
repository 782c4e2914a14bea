import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { stringify } from "yaml";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import type { Edge } from "../../src/edge.ts";
import { EventBus } from "../../src/events.ts";
import { connectRedis, type RedisClient } from "../../src/redis.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const STRANGER = { carriesToken: false };
const OUR_BROWSER = { carriesToken: true };
const WINDOW_MS = 10_000;
/** More than are sent before Redis counts as up. */
const MANY = 12_000;

interface PinsOfAnEdge {
  readonly pins: Pins;
  readonly client: RedisClient;
  /** What its bus said of Redis, and why. */
  readonly said: string[];
}

let server: RedisServer;
const open: PinsOfAnEdge[] = [];

beforeEach(async () => {
  server = await startRedis({ aged: true });
});

afterEach(async () => {
  for (const { pins, client } of open.splice(0)) {
    await pins.close();
    client.disconnect();
  }
  await server.stop();
});

/** The pins of one edge, with an intent of 40 s and a window of 10 s unless they are said to be short. */
async function edge(settings: object = {}): Promise<PinsOfAnEdge> {
  const events = new EventBus();
  const said: string[] = [];
  events.on("redisState", ({ up, cause }) => said.push(`${up ? "up" : "down"} ${cause}`));
  const client = connectRedis(server.url, "test");
  const store = guardRedis(client, "meridian", { clock: systemClock, events });
  const pins = new Pins(configSchema.parse({ regions: {}, ...settings }), {
    clock: systemClock,
    events,
    store,
  });
  const made = { pins, client, said };
  open.push(made);
  await store.ready(2_000);
  return made;
}

const SHORT = { proxy: { responseTimeout: "1s" }, consistency: { graceWindow: "500ms" } };

const isUp = ({ said }: PinsOfAnEdge) => eventually(() => said.at(-1)?.startsWith("up"));
const isDown = ({ said }: PinsOfAnEdge) => eventually(() => said.at(-1)?.startsWith("down"));
const pinnedMs = async ({ pins }: PinsOfAnEdge, pid: string) => (await pins.inspect(pid))?.remainingMs ?? 0;

/** Until both have stopped asking a Redis that stands still. */
async function standStill(...edges: readonly PinsOfAnEdge[]): Promise<void> {
  server.pause();
  const asked = edges.flatMap(({ pins }) => Array.from({ length: 6 }, () => pins.read(["any"], STRANGER)));
  await Promise.all(asked);
  await Promise.all(edges.map(isDown));
}

describe("pins that Redis missed", () => {
  it("are recorded before it counts as up again, when it stood still", async () => {
    const [here, there] = [await edge(), await edge()];
    await standStill(here, there);
    const pin = here.pins.open(["user"]);
    assert.equal(await pin.acknowledged, "unrecorded");
    assert.equal(await pin.add(["session"]), "unrecorded");
    server.resume();
    await Promise.all([isUp(here), isUp(there)]);
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "pinned");
    assert.equal((await there.pins.read(["session"], STRANGER)).pin, "pinned");
  });

  it("are recorded again when it has lost its memory, and no longer than they had left", async () => {
    const [here, there] = [await edge(), await edge()];
    const pin = here.pins.open(["user"]);
    await pin.acknowledged;
    pin.settle("committed");
    const committedAtMs = performance.now();
    await server.kill();
    await sleep(500);
    await server.restart();
    await Promise.all([isUp(here), isUp(there)]);
    const leftMs = WINDOW_MS - (performance.now() - committedAtMs);
    const foundMs = await pinnedMs(there, "user");
    assert.ok(foundMs > leftMs - 2_000 && foundMs < leftMs + 250, `${foundMs} ms of ${leftMs}`);
  });

  it("are left out when their write turned out not to have written", async () => {
    const here = await edge();
    const pin = here.pins.open(["user"]);
    await pin.acknowledged;
    await server.kill();
    await isDown(here);
    pin.settle("notWritten");
    await server.restart();
    await isUp(here);
    assert.equal(await pinnedMs(here, "user"), 0);
  });

  it("are recorded all, however many they are", async () => {
    const here = await edge();
    await server.kill();
    await isDown(here);
    for (let i = 0; i < MANY; i += 1) here.pins.open([`user${i}`]);
    await server.restart();
    await isUp(here);
    const count = `EVAL "return #redis.call('KEYS', '*:p:user*')" 0`;
    await eventually(async () => (await server.command(count)).startsWith(`:${MANY}\r`));
  });
});

describe("a reader whom Redis does not know", () => {
  it("may have written through an edge that is not back yet, for a window after an outage", async () => {
    const [here, there] = [await edge(), await edge(SHORT)];
    await standStill(here, there);
    assert.equal(await here.pins.open(["user"]).acknowledged, "unrecorded");
    here.client.disconnect();
    server.resume();
    await isUp(there);
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "unknown");
    assert.equal(there.said.at(-1), "up quarantine for 2500 ms");
    await eventually(async () => (await there.pins.read(["user"], STRANGER)).pin === "free");
  });

  it("may have been forgotten, for an intent's time after Redis was started empty", async () => {
    const here = await edge(SHORT);
    await server.restart();
    await isUp(here);
    const late = await edge({ ...SHORT, proxy: { responseTimeout: "1500ms" } });
    assert.match(late.said.at(-1) ?? "", /^up quarantine for [12]\d{3} ms$/);
    assert.equal((await late.pins.read(["user"], STRANGER)).pin, "unknown");
    await eventually(async () => (await late.pins.read(["user"], STRANGER)).pin === "free");
    assert.equal((await edge({ ...SHORT, proxy: { responseTimeout: "1500ms" } })).said.at(-1), "up null");
  });

  it("may have been forgotten when another run of Redis answers, whatever it still holds", async () => {
    await server.command(`SET meridian:born "${Date.now() - 3_600_000} anotherrun"`);
    assert.match((await edge()).said.at(-1) ?? "", /^up quarantine for (40000|399\d\d) ms$/);
  });

  it("is sent where the operator chose for a Redis that is away, and a pin is believed at once", async () => {
    await server.flush();
    const [writer, failOpen, trustToken] = [
      await edge(),
      await edge({ consistency: { onRedisDown: { reads: "failOpen" } } }),
      await edge({ consistency: { onRedisDown: { reads: "trustToken" } } }),
    ];
    assert.equal((await failOpen.pins.read(["user"], STRANGER)).pin, "waived");
    assert.equal((await trustToken.pins.read(["user"], OUR_BROWSER)).pin, "waived");
    assert.equal((await trustToken.pins.read(["user"], STRANGER)).pin, "unknown");
    assert.equal(await writer.pins.open(["user"]).acknowledged, "recorded");
    for (const { pins } of [failOpen, trustToken])
      assert.equal((await pins.read(["user"], OUR_BROWSER)).pin, "pinned");
  });

  it("is free at once when an edge starts before a Redis that has long been there", async () => {
    const here = await edge();
    assert.deepEqual(here.said, ["up null"]);
    assert.equal((await here.pins.read(["user"], STRANGER)).pin, "free");
  });
});

describe("a Redis that is emptied while it runs", () => {
  it("is believed by nobody who asks it in the very next moment", async () => {
    const [here, there] = [await edge(), await edge()];
    assert.equal(await here.pins.open(["user"]).acknowledged, "recorded");
    await server.flush();
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "unknown");
  });

  it("is found out by every edge within seconds, and told again", async () => {
    const [here, there] = [await edge(), await edge()];
    await here.pins.open(["user"]).acknowledged;
    await server.flush();
    const isFoundOut = ({ said }: PinsOfAnEdge) =>
      eventually(() => said[1] === "down amnesia" && said[2]?.startsWith("up quarantine for "));
    await Promise.all([isFoundOut(here), isFoundOut(there)]);
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "pinned");
    assert.equal((await there.pins.read(["other"], STRANGER)).pin, "unknown");
  });
});

interface Answer {
  readonly region: string;
  readonly reason: string;
  readonly consistency: string | undefined;
  readonly version: number | undefined;
}

async function ask(edge: Edge, method: "GET" | "PUT", user: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${user}` };
  const answer = await request(`${edge.httpUrl}/items/a`, { method, headers });
  const { version } = (await answer.body.json()) as { version?: number };
  const one = (name: string): string | undefined => answer.headers[name]?.toString();
  return {
    region: one("x-meridian-region") ?? "",
    reason: one("x-meridian-reason") ?? "",
    consistency: one("x-meridian-consistency"),
    version,
  };
}

const interruptions: readonly [string, () => Promise<void>, () => Promise<void>][] = [
  ["stood still", async () => server.pause(), async () => server.resume()],
  ["was killed and is empty", () => server.kill(), () => server.restart()],
];
for (const [what, begin, end] of interruptions)
  test(`a write through one edge is read through another from the first moment that Redis, which ${what}, is back`, async (t) => {
    const world = await startWorld({ lagMs: 800 });
    t.after(() => world.stop());
    const edges: Edge[] = [];
    const up = new Map<Edge, boolean>();
    for (const id of ["one", "two"]) {
      const started = await startTestEdge(world, stringify({ edge: { id }, redis: { url: server.url } }));
      t.after(() => started.stop(0));
      started.events.on("redisState", (state) => up.set(started, state.up));
      edges.push(started);
    }
    const [one, two] = edges;
    assert.ok(one && two);
    await begin();
    await eventually(async () => {
      await Promise.all(edges.flatMap((edge) => [1, 2, 3].map((i) => ask(edge, "GET", `passer-by-${i}`))));
      return up.get(one) === false && up.get(two) === false;
    });
    const written = await ask(one, "PUT", "alice");
    assert.deepEqual([written.version, written.consistency], [1, "cookie-only"]);
    await end();
    await eventually(() => up.get(two));
    for (let i = 0; i < 5; i += 1) {
      const { region, reason, version } = await ask(two, "GET", "alice");
      assert.deepEqual([region, version], ["us-east", 1], reason);
      assert.match(reason, /^pin(-unknown)?$/);
    }
    assert.equal((await ask(two, "GET", "bob")).reason, "pin-unknown");
  });
