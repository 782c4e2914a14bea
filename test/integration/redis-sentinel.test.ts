import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { stringify } from "yaml";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { shardKey, shardOf } from "../../src/consistency/redis.ts";
import { EventBus } from "../../src/events.ts";
import { COMMAND_TIMEOUT_MS, connectRedis, type RedisClient } from "../../src/redis.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { type SentinelTopology, startSentinel } from "../support/redis-topology.ts";
import { startWorld } from "../support/world.ts";

const STRANGER = { carriesToken: false };
/** One command time-out on a busy machine; less than the silence after which the socket is given up. */
const PROMPTLY_MS = COMMAND_TIMEOUT_MS + 1_000;
/** Half a second of silence, an election, a promotion, and our own way there. */
const FAILOVER = { withinMs: 15_000 };

/** Sentinels cut the clients of a living primary that they have replaced, but only after ten seconds. */
const TOLD = { withinMs: 8_000 };

interface Edge {
  readonly pins: Pins;
  readonly client: RedisClient;
  /** What its bus said of Redis, and why. */
  readonly said: string[];
}

let redis: SentinelTopology;
const edges: Edge[] = [];

beforeEach(async () => {
  redis = await startSentinel();
  await redis.primary.age();
});

afterEach(async () => {
  for (const { pins, client } of edges.splice(0)) {
    await pins.close();
    client.disconnect();
  }
  await redis.stop();
});

const address = () => ({
  name: redis.name,
  sentinels: redis.sentinels.map(({ port }) => `127.0.0.1:${port}`),
});

/** The pins of one edge, with an intent of 40 s. */
async function edge(to: object = address(), readyMs = 3_000): Promise<Edge> {
  const events = new EventBus();
  const said: string[] = [];
  events.on("redisState", ({ up, cause }) => said.push(`${up ? "up" : "down"} ${cause}`));
  const client = connectRedis(to, "test");
  const store = guardRedis(client, "meridian", { clock: systemClock, events });
  const config = configSchema.parse({ regions: {} });
  const made = { pins: new Pins(config, { clock: systemClock, events, store }), client, said };
  edges.push(made);
  await store.ready(readyMs);
  return made;
}

const read = async ({ pins }: Edge, pid: string) => (await pins.read([pid], STRANGER)).pin;
const isUp = ({ said }: Edge) => eventually(() => said.at(-1)?.startsWith("up"), FAILOVER);
const isDown = ({ said }: Edge) => eventually(() => said.at(-1)?.startsWith("down"));
const isPinnedOn = async (server: { command(line: string): Promise<string> }, pid: string) =>
  (await server.command(`EXISTS ${shardKey("meridian", shardOf(pid), `p:${pid}`)}`)).startsWith(":1");

describe("pins behind Sentinels", () => {
  it("are told to the new primary when the old one is killed, and what it may have lost is doubted", async () => {
    const [here, there] = [await edge(), await edge()];
    assert.deepEqual([here.said, there.said], [["up null"], ["up null"]]);
    assert.equal(await here.pins.open(["before"]).acknowledged, "recorded");
    assert.equal(await read(there, "before"), "pinned");
    assert.ok(!(await redis.replica.command("INFO replication")).includes("role:master"));
    await redis.primary.kill();
    await Promise.all([here, there].map(isDown));
    assert.equal(await here.pins.open(["meanwhile"]).acknowledged, "unrecorded");
    assert.equal(here.pins.known(["meanwhile"], null).pin, "pinned");
    const slowestMs = await slowestReadUntil(there, isUp(there));
    assert.ok(slowestMs < PROMPTLY_MS, `${slowestMs} ms`);
    await isUp(here);
    for (const pid of ["before", "meanwhile"]) {
      assert.ok(await isPinnedOn(redis.replica, pid), pid);
      assert.equal(await read(there, pid), "pinned");
    }
    assert.equal(await read(there, "stranger"), "unknown");
    assert.match(there.said.at(-1) ?? "", /^up quarantine for (40000|39\d{3}) ms$/);
    assert.equal(await here.pins.open(["after"]).acknowledged, "recorded");
    assert.equal((await edge()).said.at(-1)?.startsWith("up quarantine"), true, "an edge that starts now");
  });

  it("follow a primary that is replaced while it lives, though nobody writes", async () => {
    const [reader, writer] = [await edge(), await edge()];
    await redis.sentinels[0]?.command(`SENTINEL FAILOVER ${redis.name}`);
    await eventually(() => reader.said.length >= 3 && reader.said.at(-1)?.startsWith("up"), TOLD);
    await eventually(async () => (await writer.pins.open(["user"]).acknowledged) === "recorded", FAILOVER);
    await eventually(() => isPinnedOn(redis.replica, "user"), FAILOVER);
    assert.equal(await read(reader, "user"), "pinned");
    assert.equal(await read(reader, "stranger"), "unknown");
  });

  it("are kept when another primary is spoken of while the first is asked for", async () => {
    const client = connectRedis(address(), "test");
    client.disconnect(true);
    await eventually(() => client.status === "ready");
    client.disconnect();
  });

  it("are kept when the Sentinels are away, and say why when the primary cannot be found", async () => {
    const [here, misled] = [await edge(), await edge({ ...address(), name: "another" }, 0)];
    await eventually(() => misled.said.at(-1) === "down no-primary");
    await Promise.all(redis.sentinels.map((sentinel) => sentinel.kill()));
    assert.equal(await here.pins.open(["user"]).acknowledged, "recorded");
    await sleep(300);
    assert.deepEqual(here.said, ["up null"]);
    here.client.disconnect(true);
    await eventually(() => here.said.length === 2);
    const late = await edge(address(), 0);
    await eventually(() => late.said.at(-1) === "down no-sentinel");
  });
});

/** Reads of people of whom nothing is known, one after the other, for as long as it takes. */
async function slowestReadUntil(edge: Edge, end: Promise<unknown>): Promise<number> {
  let isOver = false;
  void end.finally(() => {
    isOver = true;
  });
  let slowestMs = 0;
  while (!isOver) {
    const startedAtMs = performance.now();
    assert.equal(await read(edge, "stranger"), "unknown");
    slowestMs = Math.max(slowestMs, performance.now() - startedAtMs);
    await sleep(20);
  }
  return slowestMs;
}

describe("an edge behind Sentinels", () => {
  it("answers every request through a failover, and reads the last write of each user", async (t) => {
    const world = await startWorld({ lagMs: 800 });
    t.after(() => world.stop());
    const [one, two] = await Promise.all(
      ["one", "two"].map((id) => startTestEdge(world, stringify({ edge: { id }, redis: address() }))),
    );
    assert.ok(one && two);
    t.after(() => Promise.all([one.stop(0), two.stop(0)]));
    const states: boolean[] = [];
    two.events.on("redisState", ({ up }) => states.push(up));
    const ask = async (url: string, method: "GET" | "PUT") => {
      const headers = { authorization: "Bearer alice" };
      const { statusCode, body, headers: got } = await request(`${url}/items/a`, { method, headers });
      const { version } = (await body.json()) as { version: number };
      return { statusCode, version, declared: got["x-meridian-consistency"] };
    };
    let undeclared = 0;
    const killed = redis.primary.kill();
    for (let i = 0; i < 400 && states.at(-1) !== true; i += 1) {
      const written = await ask(one.httpUrl, "PUT");
      const { statusCode, version, declared } = await ask(two.httpUrl, "GET");
      assert.deepEqual([written.statusCode, statusCode], [200, 200]);
      if (version < written.version && declared === undefined && written.declared === undefined)
        undeclared += 1;
      await sleep(30);
    }
    await killed;
    assert.deepEqual(states, [false, true]);
    assert.equal(undeclared, 0);
    await eventually(async () => (await ask(one.httpUrl, "PUT")).declared === undefined, FAILOVER);
  });
});
