import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, describe, it } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { shardOf } from "../../src/consistency/redis.ts";
import type { Pid } from "../../src/consistency/store.ts";
import { EventBus } from "../../src/events.ts";
import { AdmissionStore } from "../../src/fleet/admissions.ts";
import { RedisHash } from "../../src/fleet/redis-hash.ts";
import { COMMAND_TIMEOUT_MS, connectRedis, type RedisClient } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import type { RedisServer } from "../support/redis.ts";
import { type ClusterTopology, startCluster } from "../support/redis-topology.ts";

const STRANGER = { carriesToken: false };
/** An intent of 1.5 s and a window of half a second, so that a quarantine is soon over. */
const SHORT = { proxy: { responseTimeout: "1s" }, consistency: { graceWindow: "500ms" } };
/** One command time-out on a busy machine; less than the silence after which the socket is given up. */
const PROMPTLY_MS = COMMAND_TIMEOUT_MS + 1_000;
/** A second's silence, an election, a promotion, and our own way there. */
const FAILOVER = { withinMs: 15_000 };

interface Edge {
  readonly pins: Pins;
  readonly client: RedisClient;
  /** What its bus said of Redis, and why. */
  readonly said: string[];
  readonly warnings: string[];
}

let cluster: ClusterTopology;
const edges: Edge[] = [];

before(async () => {
  cluster = await startCluster();
  await cluster.age();
});

after(() => cluster.stop());

afterEach(async () => {
  for (const { pins, client } of edges.splice(0)) {
    await pins.close();
    client.disconnect();
  }
});

/** The pins of an edge that was told of one node. */
async function edge(settings: object = {}, readyMs = 3_000): Promise<Edge> {
  const events = new EventBus();
  const [said, warnings]: [string[], string[]] = [[], []];
  events.on("redisState", ({ up, cause }) => said.push(`${up ? "up" : "down"} ${cause}`));
  events.on("warned", ({ what, detail }) => warnings.push(`${what}: ${detail}`));
  const client = connectRedis({ cluster: [`127.0.0.1:${cluster.nodes[0]?.port}`] }, "test");
  const store = guardRedis(client, "meridian", { clock: systemClock, events });
  const config = configSchema.parse({ regions: {}, ...settings });
  const made = { pins: new Pins(config, { clock: systemClock, events, store }), client, said, warnings };
  edges.push(made);
  await store.ready(readyMs);
  return made;
}

const isUp = ({ said }: Edge) => eventually(() => said.at(-1)?.startsWith("up"), { withinMs: 10_000 });
const isDown = ({ said }: Edge) => eventually(() => said.at(-1)?.startsWith("down"));
const newPid = (): Pid => randomBytes(17).toString("base64url").slice(0, 22);

/** So many users whose pins are on this node. */
async function usersOf(node: RedisServer, count: number): Promise<readonly Pid[]> {
  const shards = await cluster.shardsOf(node);
  const users: Pid[] = [];
  while (users.length < count) {
    const pid = newPid();
    if (shards.includes(shardOf(pid))) users.push(pid);
  }
  return users;
}

async function nodeAndOthers(): Promise<{ node: RedisServer; its: readonly Pid[]; others: readonly Pid[] }> {
  const [other, , node] = cluster.nodes;
  assert.ok(node && other);
  return { node, its: await usersOf(node, 20), others: await usersOf(other, 20) };
}

async function slowestMs(works: readonly (() => Promise<unknown>)[]): Promise<number> {
  let slowest = 0;
  for (const work of works) {
    const startedAtMs = performance.now();
    await work();
    slowest = Math.max(slowest, performance.now() - startedAtMs);
  }
  return slowest;
}

const read = async ({ pins }: Edge, pid: Pid) => (await pins.read([pid], STRANGER)).pin;
const readings = async (edge: Edge, users: readonly Pid[]) =>
  [...new Set(await Promise.all(users.map((pid) => read(edge, pid))))].sort();
const records = async ({ pins }: Edge, users: readonly Pid[]) =>
  [...new Set(await Promise.all(users.map((pid) => pins.open([pid]).acknowledged)))].sort();

describe("pins in a Redis Cluster", () => {
  it("are spread over all nodes, and seen by every edge", async () => {
    const [here, there] = [await edge(), await edge()];
    assert.deepEqual([here.said, there.said], [["up null"], ["up null"]]);
    const users = Array.from({ length: 60 }, newPid);
    assert.deepEqual(await records(here, users), ["recorded"]);
    assert.deepEqual(await readings(there, users), ["pinned"]);
    for (const node of cluster.nodes) {
      const count = `EVAL "return #redis.call('KEYS', '*:p:*')" 0`;
      assert.match(await node.command(count), /^:[1-9]/);
    }
  });

  it("are one pin of several identities, on whichever nodes these are", async () => {
    const [here, there] = [await edge(), await edge()];
    const ids = (await Promise.all(cluster.nodes.map((node) => usersOf(node, 1)))).flat();
    const pin = here.pins.open(ids);
    assert.equal(await pin.acknowledged, "recorded");
    assert.deepEqual(await readings(there, ids), ["pinned"]);
    assert.equal((await there.pins.read([newPid(), newPid(), ...ids.slice(2)], STRANGER)).pin, "pinned");
    assert.equal((await there.pins.inspect(ids[0] ?? ""))?.writes, 1);
    assert.equal(await there.pins.release(ids[0] ?? ""), true);
    assert.equal((await there.pins.read(ids.slice(0, 1), STRANGER)).pin, "free");
    pin.settle("notWritten");
    await eventually(async () => (await there.pins.read(ids, STRANGER)).pin === "free");
  });

  it("are warned of when one node may evict them", async () => {
    const [, , node] = cluster.nodes;
    await node?.command("CONFIG SET maxmemory-policy allkeys-lru");
    const here = await edge();
    await eventually(() => here.warnings.length === 1);
    assert.match(here.warnings[0] ?? "", /^redis may evict pins: maxmemory-policy is allkeys-lru/);
    await node?.command("CONFIG SET maxmemory-policy noeviction");
  });

  it("share the cluster with what operators say of regions", async () => {
    const [here, there] = [await edge(), await edge()];
    const listeners = [0, 1].map(() =>
      connectRedis({ cluster: [`127.0.0.1:${cluster.nodes[0]?.port}`] }, "fleet"),
    );
    const hashes = [here, there].map(
      ({ client }, n) =>
        new RedisHash(client, "meridian", { edgeId: `edge-${n}`, listener: listeners[n] ?? null }),
    );
    const stores = hashes.map((hash) => new AdmissionStore(hash));
    await Promise.all(hashes.map((hash) => hash.start()));
    const record = {
      state: "closed",
      reason: "test",
      by: "ops",
      sinceWallMs: 1,
      deadlineWallMs: null,
    } as const;
    await stores[0]?.set("eu-west", record);
    await eventually(() => stores[1]?.get().get("eu-west")?.state === "closed");
    await Promise.all(hashes.map((hash) => hash.close()));
    for (const listener of listeners) listener.disconnect();
  });

  it("of the node that is killed are unknown, and told again when it is back; nobody else notices", async () => {
    const [here, there] = [await edge(SHORT), await edge(SHORT)];
    const { node, its, others } = await nodeAndOthers();
    const long = await edge();
    assert.deepEqual(await records(long, its.slice(0, 5)), ["recorded"]);
    await node.kill();
    const slowest = await slowestMs([...its, ...others].map((pid) => () => read(here, pid)));
    assert.ok(slowest < PROMPTLY_MS, `${slowest} ms`);
    await Promise.all([here, there, long].map(isDown));
    assert.deepEqual(await readings(there, its), ["unknown"]);
    assert.deepEqual(await records(long, its.slice(5, 10)), ["unrecorded"]);
    assert.deepEqual(await readings(there, others), ["free"]);
    assert.deepEqual(await records(here, others.slice(0, 10)), ["recorded"]);
    assert.deepEqual(await readings(there, others.slice(0, 10)), ["pinned"]);
    const [away = "", free = "", pinned = ""] = [its[15], others[15], others[0]];
    assert.equal((await there.pins.read([away, free], STRANGER)).pin, "unknown");
    assert.equal((await there.pins.read([away, pinned], STRANGER)).pin, "pinned");
    await node.restart();
    await Promise.all([here, there, long].map(isUp));
    assert.match(there.said.at(-1) ?? "", /^up quarantine for \d+ ms$/);
    assert.deepEqual(await readings(there, its.slice(0, 10)), ["pinned"]);
    assert.deepEqual(await readings(there, its.slice(10)), ["unknown"]);
    assert.deepEqual(await readings(there, others.slice(10)), ["free"]);
    await eventually(async () => (await readings(there, its.slice(10))).join() === "free");
    assert.deepEqual(there.said.length, 3, there.said.join());
  });

  it("of a node that stands still are unknown at once, and recorded when it moves again", async () => {
    await cluster.age();
    const here = await edge(SHORT);
    const { node, its, others } = await nodeAndOthers();
    node.pause();
    const first = await slowestMs(its.map((pid) => () => read(here, pid)));
    assert.ok(first < PROMPTLY_MS, `${first} ms`);
    await isDown(here);
    await eventually(async () => (await slowestMs(its.map((pid) => () => read(here, pid)))) < 100);
    assert.deepEqual(await readings(here, others), ["free"]);
    assert.deepEqual(await records(here, its.slice(0, 3)), ["unrecorded"]);
    node.resume();
    await isUp(here);
    assert.deepEqual(await records(here, its), ["recorded"]);
  });

  it("of a node that is emptied while it runs are found out, and those of others are not doubted", async () => {
    await cluster.age();
    const here = await edge();
    const { node, its, others } = await nodeAndOthers();
    await node.flush();
    await eventually(() => here.said[1] === "down amnesia" && here.said[2]?.startsWith("up quarantine for "));
    assert.deepEqual(await readings(here, its), ["unknown"]);
    assert.deepEqual(await readings(here, others), ["free"]);
  });

  it("of a node that its replica has replaced are told again and doubted, though nobody was asking", async () => {
    const { node, its, others } = await nodeAndOthers();
    const replica = await cluster.addReplica(node);
    await cluster.age();
    const [here, idle] = [await edge(), await edge()];
    assert.deepEqual([here.said, idle.said], [["up null"], ["up null"]]);
    assert.deepEqual(await records(here, its.slice(0, 5)), ["recorded"]);
    await node.kill();
    await eventually(async () => (await replica.command("ROLE")).includes("master"), FAILOVER);
    await eventually(() => here.said.length === 3 && idle.said.length === 3, FAILOVER);
    assert.match(idle.said.join(), /^up null,down \w+,up quarantine for (40000|39\d{3}) ms$/);
    assert.deepEqual(await readings(idle, its.slice(0, 5)), ["pinned"]);
    assert.deepEqual(await readings(idle, its.slice(5)), ["unknown"]);
    assert.deepEqual(await readings(idle, others), ["free"]);
    await node.restart();
  });

  it("are kept again after every node was away", async () => {
    const here = await edge(SHORT);
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    await isDown(here);
    assert.deepEqual(await readings(here, [newPid()]), ["unknown"]);
    const late = await edge(SHORT, 0);
    await eventually(() => late.said.at(-1) === "down no-node");
    await Promise.all(cluster.nodes.map((node) => node.restart()));
    for (const each of [here, late]) {
      await isUp(each);
      assert.deepEqual(await records(each, Array.from({ length: 20 }, newPid)), ["recorded"]);
    }
  });

  it("of a node whose replica takes its place by force are doubted, though the node lives and nobody asks", async () => {
    const [other, node] = cluster.nodes;
    assert.ok(node && other);
    const [its, others] = [await usersOf(node, 20), await usersOf(other, 20)];
    const replica = await cluster.addReplica(node);
    await cluster.age();
    const idle = await edge();
    assert.deepEqual(idle.said, ["up null"]);
    await replica.command("CLUSTER FAILOVER TAKEOVER");
    await eventually(() => idle.said.length === 3, FAILOVER);
    assert.match(idle.said.at(-1) ?? "", /^up quarantine for (40000|39\d{3}) ms$/);
    assert.deepEqual(await readings(idle, its.slice(0, 5)), ["unknown"]);
    assert.deepEqual(await readings(idle, others.slice(0, 5)), ["free"]);
  });
});
