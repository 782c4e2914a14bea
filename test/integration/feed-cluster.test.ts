import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { request } from "undici";
import { stringify } from "yaml";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { PinFeed } from "../../src/consistency/feed.ts";
import { ClusterFeed } from "../../src/consistency/feed-cluster.ts";
import { feedKey } from "../../src/consistency/feed-script.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { RedisPinStore, SHARDS, shardOf } from "../../src/consistency/redis.ts";
import type { Pid } from "../../src/consistency/store.ts";
import { EventBus } from "../../src/events.ts";
import { COMMAND_TIMEOUT_MS, connectRedis, type RedisClient } from "../../src/redis.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import type { RedisServer } from "../support/redis.ts";
import { type ClusterTopology, startCluster } from "../support/redis-topology.ts";
import { startWorld } from "../support/world.ts";

const STRANGER = { carriesToken: false };
const STALENESS_MS = 2_000;
const INTENT_MS = 40_000;
/** For who sends a lot at once on a busy machine. */
const PATIENCE_MS = 10_000;
/** A second's silence, an election, a promotion, and our own way there. */
const FAILOVER = { withinMs: 15_000 };
/** A machine that is busy for so long that commands time out puts an edge in quarantine for its grace window. */
const RECOVERY = { withinMs: 20_000 };

interface Edge {
  readonly pins: Pins;
  readonly feed: PinFeed;
  readonly client: RedisClient;
  /** What its bus said of the feed and of Redis. */
  readonly said: string[];
}

let cluster: ClusterTopology;
const edges: Edge[] = [];

before(async () => {
  cluster = await startCluster();
});

after(() => cluster.stop());

beforeEach(() => cluster.age());

afterEach(async () => {
  for (const { pins, client } of edges.splice(0)) {
    await pins.close();
    client.disconnect();
  }
});

/** The pins of an edge that was told of one node, and follows the others' writes. */
async function edge(mode = "bounded", patienceMs = COMMAND_TIMEOUT_MS): Promise<Edge> {
  const events = new EventBus();
  const said: string[] = [];
  events.on("feedState", ({ behind }) => said.push(behind ? "behind" : "fresh"));
  events.on("redisState", ({ up, cause }) => said.push(up ? "up" : `down ${cause}`));
  const address = { cluster: [`127.0.0.1:${cluster.nodes[0]?.port}`] };
  const client = connectRedis(address, "test", Math.random, patienceMs);
  const tells = () => mode === "bounded";
  const store = guardRedis(client, "meridian", { clock: systemClock, events, tells });
  const connect = () => new ClusterFeed(address, "meridian", "test");
  const feed = new PinFeed({ clock: systemClock, events, connect });
  const config = configSchema.parse({
    regions: {},
    consistency: { mode, staleness: `${STALENESS_MS}ms`, graceWindow: "5s" },
  });
  const made = { pins: new Pins(config, { clock: systemClock, events, store, feed }), feed, client, said };
  edges.push(made);
  await store.ready(5_000);
  return made;
}

async function freshEdges(count: number): Promise<Edge[]> {
  const made = await Promise.all(Array.from({ length: count }, () => edge()));
  await Promise.all(made.map(isFresh));
  return made;
}

const isFresh = ({ feed }: Edge) => eventually(() => feed.isFresh, { withinMs: 10_000 });
const newPid = (): Pid => randomBytes(17).toString("base64url").slice(0, 22);
const newPids = (count: number) => Array.from({ length: count }, newPid);
const read = async ({ pins }: Edge, pid: Pid) => (await pins.read([pid], STRANGER)).pin;
const readings = async (edge: Edge, users: readonly Pid[]) =>
  [...new Set(await Promise.all(users.map((pid) => read(edge, pid))))].sort();
const records = async ({ pins }: Edge, users: readonly Pid[]) =>
  [...new Set(await Promise.all(users.map((pid) => pins.open([pid]).acknowledged)))].sort();
const areFree = (edge: Edge, users: readonly Pid[]) =>
  eventually(async () => assert.deepEqual(await readings(edge, users), ["free"]), RECOVERY);
const knowsAll = ({ feed }: Edge, users: readonly Pid[]) => users.every((pid) => feed.believes([pid]));

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

/** On all nodes that answer, since {@link resetCounts}. */
async function calls(command: string): Promise<number> {
  const counts = await Promise.all(cluster.nodes.map((node) => node.commandCounts()));
  return counts.reduce((sum, each) => sum + (each.get(command) ?? 0), 0);
}

async function resetCounts(): Promise<void> {
  await Promise.all(cluster.nodes.map((node) => node.command("CONFIG RESETSTAT")));
}

describe("writes through one edge in mode bounded over a Redis Cluster", () => {
  it("are known to another soon, on whichever nodes, and nobody's reads cost a look-up", async () => {
    const [here, there] = await freshEdges(2);
    assert.ok(here && there);
    await resetCounts();
    const users = newPids(200);
    assert.deepEqual(new Set(users.map(shardOf)).size, SHARDS);
    assert.deepEqual(await records(here, users), ["recorded"]);
    await sleep(STALENESS_MS);
    assert.equal((await readings(there, users)).includes("free"), false);
    await eventually(() => knowsAll(there, users), RECOVERY);
    for (const pid of users) assert.equal(there.pins.known([pid], null).pin, "pinned");
    assert.equal(await calls("xadd"), users.length);
    await eventually(async () => {
      await resetCounts();
      assert.deepEqual(await readings(there, newPids(200)), ["free"]);
      assert.equal(await calls("pttl"), 0);
    }, RECOVERY);
  });

  it("are known to one that starts later, more of them in a shard than one answer holds", async () => {
    const here = await edge("bounded", PATIENCE_MS);
    const one = newPid();
    const same = newPids(20_000).filter((pid) => shardOf(pid) === shardOf(one));
    assert.ok(same.length > 500);
    assert.deepEqual(await records(here, same), ["recorded"]);
    const [late] = await freshEdges(1);
    assert.ok(late);
    assert.ok(knowsAll(late, same));
  });

  it("are not told in mode strict, and not asked for", async () => {
    const [users, here] = [newPids(20), await edge("strict")];
    await resetCounts();
    assert.deepEqual(await records(here, users), ["recorded"]);
    assert.deepEqual([await calls("xadd"), await calls("xrange")], [0, 0]);
    assert.equal(here.feed.ageMs, null);
  });

  it("are asked for a few times a second, once for each shard, of whatever there is to hear", async () => {
    const [here, there] = [await edge("strict", PATIENCE_MS), (await freshEdges(1))[0]];
    assert.ok(there);
    await resetCounts();
    const startMs = performance.now();
    await sleep(1_000);
    const idle = (await calls("xrange")) / SHARDS;
    const seconds = (performance.now() - startMs) / 1_000;
    assert.ok(idle > 0 && idle <= 3 * seconds, `${idle} rounds in ${seconds} idle seconds`);
    await resetCounts();
    const store = new RedisPinStore(here.client, "meridian", () => true);
    const [pid, untilMs] = [newPid(), performance.now() + 1_000];
    let writes = 0;
    for (; performance.now() < untilMs; writes += 1) await store.begin([pid], `other.${writes}`, INTENT_MS);
    const busy = ((await calls("xrange")) - Math.ceil(writes / 16)) / SHARDS;
    assert.ok(busy < writes / 4, `${busy} rounds for ${writes} writes`);
  });
});

describe("the feed over a Redis Cluster", () => {
  it("is behind when one node stands still: reads are looked up or unknown, never free for long", async (t) => {
    const [here, there] = await freshEdges(2);
    const [other, , node] = cluster.nodes;
    assert.ok(here && there && other && node);
    const [its, others] = [await usersOf(node, 10), await usersOf(other, 10)];
    t.after(() => node.resume());
    node.pause();
    const pausedAtMs = performance.now();
    const seen: string[] = [];
    while (performance.now() - pausedAtMs < STALENESS_MS * 2) {
      const askedAtMs = performance.now();
      const answer = await read(there, its[seen.length % its.length] ?? "");
      if (askedAtMs - pausedAtMs > STALENESS_MS) seen.push(answer);
      await sleep(50);
    }
    assert.ok(seen.length > 0 && !seen.includes("free"), `${[...new Set(seen)]}`);
    assert.ok((there.feed.ageMs ?? 0) >= STALENESS_MS);
    await eventually(async () => {
      await other.command("CONFIG RESETSTAT");
      assert.deepEqual(await readings(there, others), ["free"]);
      assert.equal((await other.commandCounts()).get("pttl"), others.length);
    }, RECOVERY);
    assert.deepEqual(
      there.said.filter((word) => word === "behind"),
      ["behind"],
    );
    node.resume();
    await isFresh(there);
    assert.equal(there.said.filter((word) => word === "fresh").length, 1);
    assert.ok((there.feed.ageMs ?? STALENESS_MS) < STALENESS_MS);
  });

  it("is behind while a node is dead, and then reads that node again from its start, and only that", async () => {
    const [here, there] = await freshEdges(2);
    const [other, , node] = cluster.nodes;
    assert.ok(here && there && other && node);
    const [its, others] = [await usersOf(node, 20), await usersOf(other, 20)];
    const [told, untold] = [its.slice(0, 10), its.slice(10)];
    assert.deepEqual(await records(here, [...told, ...others.slice(0, 10)]), ["recorded"]);
    await eventually(() => knowsAll(there, [...told, ...others.slice(0, 10)]));
    await node.kill();
    await eventually(() => there.said.includes("behind"), FAILOVER);
    assert.deepEqual(await readings(there, untold), ["unknown"]);
    assert.deepEqual(await readings(there, told), ["pinned"]);
    await areFree(there, others.slice(10));
    await node.restart();
    await isFresh(there);
    assert.deepEqual(await readings(there, untold), ["unknown"], "in quarantine");
    assert.deepEqual(await records(here, untold), ["recorded"]);
    await eventually(() => knowsAll(there, untold));
    await areFree(there, others.slice(10));
  });

  it("is read again after a replica has taken over, whose clock may be behind, and what it lost is doubted", async (t) => {
    const [other, , node] = cluster.nodes;
    assert.ok(other && node);
    const replica = await cluster.addReplica(node);
    await cluster.age();
    const [here, there] = await freshEdges(2);
    assert.ok(here && there);
    const [its, others] = [await usersOf(node, 30), await usersOf(other, 10)];
    assert.deepEqual(await records(here, its.slice(0, 10)), ["recorded"]);
    await eventually(() => knowsAll(there, its.slice(0, 10)));
    await node.kill();
    const answers: Promise<string>[] = [];
    const isPrimary = async () => (await replica.command("ROLE")).includes("master");
    await eventually(isPrimary, FAILOVER);
    // What the old node held and never sent on, as though it sorted before all that was read.
    const [late = ""] = its.slice(10);
    await replica.command(`DEL ${feedKey("meridian", shardOf(late))}`);
    const entry = `u ${late} d ${Date.now() + INTENT_MS} w other.1`;
    assert.match(await replica.command(`XADD ${feedKey("meridian", shardOf(late))} 1-1 ${entry}`), /1-1/);
    await eventually(() => knowsAll(there, [late]), FAILOVER);
    for (const pid of its.slice(11)) answers.push(read(there, pid));
    assert.deepEqual([...new Set(await Promise.all(answers))], ["unknown"]);
    await isFresh(there);
    assert.deepEqual(await readings(there, its.slice(11)), ["unknown"], "in quarantine");
    assert.deepEqual(await readings(there, its.slice(0, 11)), ["pinned"]);
    await areFree(there, others);
    await node.restart();

    // Handed back with its mark, and nobody else there to look at that.
    await eventually(
      async () => (await node.command("INFO replication")).includes("link_status:up"),
      FAILOVER,
    );
    await Promise.all([here, there].map(({ pins }) => pins.close()));
    const feed = new ClusterFeed({ cluster: [`127.0.0.1:${other.port}`] }, "meridian", "test");
    t.after(() => feed.close());
    const isRead = () => feed.read();
    const before = await eventually(isRead);
    await eventually(() => takesOver(node), { withinMs: 30_000 });
    const then = await eventually(isRead, FAILOVER);
    assert.ok(before.mark !== null && then.mark !== null);
    assert.notEqual(then.mark, before.mark);
    const marks = [before.mark, then.mark].map((mark) => mark.replaceAll(/ in \w+/g, ""));
    assert.equal(marks[0], marks[1], "but for the run of the server");
  });
});

/** Redis gives a manual failover up after five seconds, silently: whoever has voted for its shard just before does not again. */
async function takesOver(node: { command(line: string): Promise<string> }): Promise<boolean> {
  await node.command("CLUSTER FAILOVER");
  return eventually(async () => (await node.command("ROLE")).includes("master"), { withinMs: 6_000 });
}

test("a connection to a Redis Cluster that is closed while it asks who has what lets the process end", async () => {
  const redis = new URL("../../src/redis.ts", import.meta.url);
  const script = `
    import { connectRedis } from "${redis}";
    const client = connectRedis({ cluster: ["127.0.0.1:${cluster.nodes[0]?.port}"] }, "closing");
    const ask = client.refreshSlotsCache.bind(client);
    client.once("ready", () => {
      client.refreshSlotsCache = (...given) => {
        client.refreshSlotsCache = ask;
        ask(...given);
        client.disconnect();
      };
    });
    await new Promise((ended) => client.once("end", ended));
    process.stdout.write("ended");
  `;
  const ran = await promisify(execFile)(process.execPath, ["--input-type=module-typescript", "-e", script], {
    timeout: 30_000,
  });
  assert.equal(ran.stdout, "ended");
});

test("two edges over a Redis Cluster in mode bounded show a user's other device its write", async (t) => {
  const world = await startWorld({ lagMs: 1_500 });
  t.after(() => world.stop());
  const urls: { readonly http: string; readonly admin: string }[] = [];
  for (const id of ["one", "two"]) {
    const consistency = { mode: "bounded", staleness: "1s" };
    const redis = { cluster: [`127.0.0.1:${cluster.nodes[0]?.port}`] };
    const health = { maxLag: "10s" };
    const started = await startTestEdge(world, stringify({ edge: { id }, redis, consistency, health }));
    t.after(() => started.stop(0));
    urls.push({ http: started.httpUrl, admin: started.adminUrl });
  }
  const [one, two] = urls;
  const ask = async (url: string | undefined, method: "GET" | "PUT", user: string) => {
    const answer = await request(`${url}/items/a`, { method, headers: { authorization: user } });
    const { version } = (await answer.body.json()) as { version?: number };
    return { version, why: `${answer.headers["x-meridian-region"]} ${answer.headers["x-meridian-reason"]}` };
  };
  await eventually(async () => {
    await resetCounts();
    await ask(two?.http, "GET", "passer-by");
    return (await calls("pttl")) === 0;
  }, FAILOVER);
  assert.equal((await ask(one?.http, "PUT", "user")).version, 1);
  await sleep(1_000);
  assert.deepEqual(await ask(two?.http, "GET", "user"), { version: 1, why: "us-east pin" });
  await eventually(
    async () => assert.match((await ask(two?.http, "GET", "passer-by")).why, /^eu-west /),
    RECOVERY,
  );
  const metrics = await (await request(`${two?.admin}/metrics`)).body.text();
  const age = /^meridian_pin_feed_age_seconds (\S+)$/m.exec(metrics)?.[1];
  assert.ok(Number(age) >= 0 && Number(age) < 1, `${age}`);
});
