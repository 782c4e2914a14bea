import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { configSchema } from "../../src/config/schema.ts";
import { guardRedis } from "../../src/consistency/fleet-pins.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { RedisPinStore, shardOf } from "../../src/consistency/redis.ts";
import { EventBus } from "../../src/events.ts";
import { COMMAND_TIMEOUT_MS, connectRedis, type RedisClient } from "../../src/redis.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";

const STRANGER = { carriesToken: false };
const INTENT_MS = 40_000;
const WINDOW_MS = 10_000;
/** A pin that a command shortened or lost would be told by seconds. */
const SLACK_MS = 5_000;
/** One command time-out on a busy machine; less than the silence after which the socket is given up. */
const PROMPTLY_MS = COMMAND_TIMEOUT_MS + 1_000;

interface Edge {
  readonly pins: Pins;
  readonly client: RedisClient;
  /** What its bus said of Redis: `up` or `down`. */
  readonly states: string[];
  /** Commands that failed. */
  readonly failures: string[];
  readonly warnings: string[];
}

const edges: Edge[] = [];

/** The pins of one edge over this Redis. */
async function edge(url: string, readyMs = 2_000): Promise<Edge> {
  const events = new EventBus();
  const [states, failures, warnings]: [string[], string[], string[]] = [[], [], []];
  events.on("redisState", ({ up }) => states.push(up ? "up" : "down"));
  events.on("pinStoreFailed", ({ op, cause }) => failures.push(`${op}: ${cause}`));
  events.on("warned", ({ what, detail }) => warnings.push(`${what}: ${detail}`));
  const client = connectRedis(url, "test");
  const store = guardRedis(client, "meridian", { clock: systemClock, events });
  const config = configSchema.parse({ regions: {} });
  const pins = new Pins(config, { clock: systemClock, events, store });
  const made = { pins, client, states, failures, warnings };
  edges.push(made);
  await store.ready(readyMs);
  return made;
}

async function closeEdges(): Promise<void> {
  for (const { pins, client } of edges.splice(0)) {
    await pins.close();
    client.disconnect();
  }
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly answer: T; readonly tookMs: number }> {
  const startedAtMs = performance.now();
  const answer = await work();
  return { answer, tookMs: performance.now() - startedAtMs };
}

const isDown = ({ states }: Edge) => eventually(() => states.at(-1) === "down");
const isUp = ({ states }: Edge) => eventually(() => states.at(-1) === "up");

describe("pins over a real redis-server", () => {
  let server: RedisServer;

  before(async () => {
    server = await startRedis({ aged: true });
  });

  after(async () => {
    await server.stop();
  });

  afterEach(async () => {
    await closeEdges();
    await server.restart();
    await server.age();
  });

  it("are seen by every edge once they are recorded, and by none after the write did not happen", async () => {
    const [here, there] = [await edge(server.url), await edge(server.url)];
    const pin = here.pins.open(["user"]);
    assert.equal(await pin.acknowledged, "recorded");
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "pinned");
    pin.settle("notWritten");
    await eventually(async () => (await there.pins.read(["user"], STRANGER)).pin === "free");
  });

  it("cost one command to begin and one to end for each identity, and one to look all up", async () => {
    const [here, there] = [await edge(server.url), await edge(server.url)];
    const warm = here.pins.open(["warm"]);
    await warm.acknowledged;
    warm.settle("committed");
    await there.pins.read(["warm"], STRANGER);
    await eventually(async () => ((await here.pins.inspect("warm"))?.remainingMs ?? INTENT_MS) <= WINDOW_MS);
    await server.command("CONFIG RESETSTAT");

    const pin = here.pins.open(["login", "browser"]);
    await pin.acknowledged;
    pin.settle("committed");
    await there.pins.read(["login", "browser"], STRANGER);
    await eventually(async () => (await server.commandCounts()).get("evalsha") === 5);
    const counts = await server.commandCounts();
    assert.equal(counts.get("pttl"), 2);
    assert.equal(counts.get("eval"), undefined);
  });

  it("cost one command to look up what they hold a user to, and one to end with a position", async () => {
    const [here, there] = [await edge(server.url), await edge(server.url)];
    const position = { epoch: 1, at: "00000000000004d2" };
    const hints = { ...STRANGER, positions: true };
    const settled = async (pid: string) => {
      const pin = here.pins.open([pid]);
      await pin.acknowledged;
      pin.settle("committed", { position });
    };
    await settled("warm");
    await eventually(async () => (await there.pins.read(["warm"], hints)).hold?.open === false);
    await server.command("CONFIG RESETSTAT");
    await settled("user");
    await eventually(async () => (await server.commandCounts()).get("evalsha") === 2);
    const { pin, hold } = await there.pins.read(["user"], hints);
    assert.deepEqual([pin, hold?.positions], ["pinned", [position]]);
    const counts = await server.commandCounts();
    assert.deepEqual(
      [counts.get("evalsha"), counts.get("eval"), counts.get("pttl")],
      [3, undefined, undefined],
    );
  });

  it("are warned of at every connection to a Redis that may evict them", async () => {
    await server.command("CONFIG SET maxmemory-policy volatile-ttl");
    const here = await edge(server.url);
    await eventually(() => here.warnings.length === 1);
    here.client.disconnect(true);
    await eventually(() => here.warnings.length === 2);
    const [, last] = here.warnings;
    assert.ok(last?.startsWith("redis may evict pins: maxmemory-policy is volatile-ttl, so"), `${last}`);
  });

  it("are not warned of when Redis evicts nothing", async () => {
    const here = await edge(server.url);
    // Sent behind the question on the same connection, so that question has been answered.
    await here.client.ping();
    assert.deepEqual(here.warnings, []);
  });

  it("are kept by a Redis that will not say what it evicts", async () => {
    await server.command("CONFIG SET maxmemory-policy volatile-ttl");
    await server.command("ACL SETUSER pins on >secret ~* +@all -info -config");
    const here = await edge(server.url.replace("//", "//pins:secret@"));
    assert.equal(await here.pins.open(["user"]).acknowledged, "recorded");
    await here.client.ping();
    assert.deepEqual([here.states, here.warnings], [["up"], []]);
  });

  it("are kept with a password that Redis did not ask for", async () => {
    const here = await edge(server.url.replace("//", "//:secret@"));
    assert.equal(await here.pins.open(["user"]).acknowledged, "recorded");
    assert.deepEqual(here.states, ["up"]);
  });

  it("are pins without an end when somebody has taken their expiry", async () => {
    const [here, there] = [await edge(server.url), await edge(server.url)];
    await here.pins.open(["user"]).acknowledged;
    assert.ok((await server.command(`PERSIST {meridian:${shardOf("user")}}:p:user`)).startsWith(":1"));
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "pinned");
    assert.equal(
      await new RedisPinStore(there.client, "meridian").remaining(["user"]),
      Number.POSITIVE_INFINITY,
    );
    assert.equal(await there.pins.release("user"), true);
    assert.equal((await there.pins.read(["user"], STRANGER)).pin, "free");
  });

  it("leave nothing behind in Redis but its birth mark when they are over", async () => {
    const here = await edge(server.url);
    const pin = here.pins.open(["user"]);
    await pin.acknowledged;
    pin.settle("notWritten");
    await eventually(async () => (await server.command("DBSIZE")).startsWith(":1\r"));
  });

  it("keep no writes of the past beside those that go on", async () => {
    const here = await edge(server.url);
    const store = new RedisPinStore(here.client, "meridian");
    for (let i = 0; i < 50; i += 1) await store.begin(["user"], `a.${i}`, 20);
    await eventually(async () => (await store.remaining(["user"])) === 0);
    for (let i = 0; i < 50; i += 1) await store.end(["user"], `b.${i}`, i === 49 ? WINDOW_MS : 1);
    await eventually(async () => {
      await store.begin(["user"], "b.49", WINDOW_MS);
      return (await server.command(`ZCARD {meridian:${shardOf("user")}}:p:user`)).startsWith(":1\r");
    });
  });

  it("hold on this edge when Redis is killed, and nobody waits for it", async () => {
    const here = await edge(server.url);
    await here.pins.open(["user"]).acknowledged;
    await server.kill();
    await isDown(here);
    const { tookMs } = await timed(async () => {
      for (let i = 0; i < 30; i += 1) {
        assert.equal(here.pins.known(["user"], null).pin, "pinned");
        assert.equal((await here.pins.read(["other"], STRANGER)).pin, "unknown");
        assert.equal(await here.pins.open([`other${i}`]).acknowledged, "unrecorded");
      }
    });
    assert.ok(tookMs < 30 * COMMAND_TIMEOUT_MS * 0.5, `60 answers took ${tookMs} ms`);
    assert.ok(here.failures.length <= 10, here.failures.join());
  });

  it("are recorded again soon after Redis is back, with one word for each change", async () => {
    const here = await edge(server.url);
    await server.restart();
    await eventually(async () => (await here.pins.open(["user"]).acknowledged) === "recorded");
    await isUp(here);
    assert.deepEqual(here.states, ["up", "down", "up"]);
  });

  it("are answered within one command time-out by a Redis that stands still, then at once", async () => {
    const here = await edge(server.url);
    server.pause();
    const first = await timed(() => here.pins.read(["user"], STRANGER));
    const write = await timed(() => here.pins.open(["user"]).acknowledged);
    assert.deepEqual([first.answer.pin, write.answer], ["unknown", "unrecorded"]);
    assert.ok(first.tookMs < PROMPTLY_MS && write.tookMs < PROMPTLY_MS, `${first.tookMs}, ${write.tookMs}`);
    await Promise.all(Array.from({ length: 5 }, () => here.pins.read(["other"], STRANGER)));
    await isDown(here);
    const failed = here.failures.length;
    const later = await timed(() => here.pins.read(["other"], STRANGER));
    assert.equal(later.answer.pin, "unknown");
    assert.equal(here.failures.length, failed, "a command was sent while the breaker was open");
    server.resume();
    await isUp(here);
  });

  it("come to no harm from commands that timed out and run late", async () => {
    const [here, there] = [await edge(server.url), await edge(server.url)];
    const [held, committed] = [here.pins.open(["held"]), here.pins.open(["committed"])];
    assert.deepEqual([await held.acknowledged, await committed.acknowledged], ["recorded", "recorded"]);
    server.pause();
    committed.settle("committed");
    const cancelled = there.pins.open(["held"]);
    cancelled.settle("notWritten");
    const lost = there.pins.open(["lost"]);
    assert.deepEqual([await cancelled.acknowledged, await lost.acknowledged], ["unrecorded", "unrecorded"]);
    server.resume();
    await Promise.all([isUp(here), isUp(there)]);
    const remainingMs = async (pid: string) => (await here.pins.inspect(pid))?.remainingMs ?? 0;
    assert.ok((await remainingMs("held")) > INTENT_MS - SLACK_MS);
    assert.ok((await remainingMs("committed")) > WINDOW_MS - SLACK_MS);
    assert.ok((await remainingMs("lost")) <= INTENT_MS);
  });

  it("hold on the edge that took the write when Redis is emptied", async () => {
    const here = await edge(server.url);
    await here.pins.open(["user"]).acknowledged;
    await server.flush();
    assert.equal(here.pins.known(["user"], null).pin, "pinned");
    assert.equal(await here.pins.open(["other"]).acknowledged, "recorded");
  });

  const refusals: readonly [string, string, string, string][] = [
    ["is read-only", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"],
    ["is full", "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"],
  ];
  for (const [state, break_, mend, cause] of refusals)
    it(`are unrecorded, in one word, by a Redis that ${state}, and recorded when it no longer is`, async () => {
      const here = await edge(server.url);
      await server.command(break_);
      for (let i = 0; i < 20; i += 1)
        assert.equal(await here.pins.open([`user${i}`]).acknowledged, "unrecorded");
      await isDown(here);
      assert.ok(
        here.failures.some((failure) => failure.endsWith(cause)),
        here.failures.join(),
      );
      assert.ok(here.failures.length <= 10, here.failures.join());
      await server.command(mend);
      await isUp(here);
      assert.equal(await here.pins.open(["user"]).acknowledged, "recorded");
      assert.deepEqual(here.states, ["up", "down", "up"]);
    });

  it("look for the new primary when the old one has become read-only", async () => {
    const here = await edge(server.url);
    const reconnecting = once(here.client, "reconnecting");
    await server.command("REPLICAOF 127.0.0.1 1");
    here.pins.open(["user"]);
    await reconnecting;
    await server.command("REPLICAOF NO ONE");
  });

  it("are kept as soon as a Redis that was away from the start appears", async () => {
    await server.kill();
    const here = await edge(server.url, 300);
    assert.deepEqual(here.states, ["down"]);
    assert.equal(await here.pins.open(["user"]).acknowledged, "unrecorded");
    await server.restart();
    await isUp(here);
    assert.equal(await here.pins.open(["user"]).acknowledged, "recorded");
  });
});

describe("pins over something that is no good Redis", () => {
  afterEach(closeEdges);

  const manners: readonly [string, (socket: Socket) => void][] = [
    ["speaks HTTP", (socket) => socket.on("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"))],
    ["speaks in random bytes", (socket) => socket.on("data", () => socket.write(Buffer.alloc(64, 0xff)))],
    ["speaks before it is asked", (socket) => socket.write("+OK\r\n:1\r\n$-1\r\n")],
    [
      "announces an answer of a terabyte",
      (socket) => socket.on("data", () => socket.write("$999999999999\r\nx")),
    ],
    [
      "nests its answers without end",
      (socket) => socket.on("data", () => socket.write("*1\r\n".repeat(1_000))),
    ],
    [
      "answers every command with -LOADING",
      (socket) => answer(socket, "-LOADING Redis is loading the dataset in memory\r\n"),
    ],
    [
      "answers every command with -NOAUTH",
      (socket) => answer(socket, "-NOAUTH Authentication required.\r\n"),
    ],
    ["answers every command with a string", (socket) => answer(socket, "$5\r\nhello\r\n")],
    ["accepts and never answers", () => {}],
    ["hangs up at once", (socket) => socket.destroy()],
    ["resets on the first byte", (socket) => socket.on("data", () => socket.resetAndDestroy())],
  ];

  for (const [manner, behave] of manners)
    it(`are unrecorded and reads unknown, promptly and without a crash, when it ${manner}`, async (test) => {
      const server = createServer((socket) => behave(socket.on("error", () => {}))).listen(0, "127.0.0.1");
      test.after(() => server.close());
      await once(server, "listening");
      const here = await edge(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, 300);
      const { answer, tookMs } = await timed(() =>
        Promise.all([here.pins.open(["user"]).acknowledged, here.pins.read(["other"], STRANGER)]),
      );
      assert.deepEqual([answer[0], answer[1].pin], ["unrecorded", "unknown"]);
      assert.ok(tookMs < PROMPTLY_MS, `${tookMs} ms`);
      assert.deepEqual(here.states, ["down"]);
    });
});

describe("look-ups", () => {
  it("of one turn of the event loop are one command, in which each is answered for itself", async (test) => {
    const server = await startRedis({ aged: true });
    test.after(() => server.stop());
    test.after(closeEdges);
    const [here, there] = [await edge(server.url), await edge(server.url)];
    const users = Array.from({ length: 40 }, (_, i) => `user-${i}`);
    const pinned = users.filter((_, i) => i % 3 === 0);
    await Promise.all(pinned.map((user) => here.pins.open([user]).acknowledged));
    await there.pins.read(["warm"], STRANGER);
    await server.command("CONFIG RESETSTAT");
    const states = await Promise.all(users.map((user) => there.pins.read([user, "nobody"], STRANGER)));
    assert.deepEqual(
      users.filter((_, i) => states[i]?.pin === "pinned"),
      pinned,
    );
    assert.equal((await server.commandCounts()).get("evalsha"), 1);
  });

  it("are asked one by one where a command may not ask for several, and miss no loss of memory there", async (test) => {
    const directory = await mkdtemp(join(tmpdir(), "meridian-cluster-"));
    test.after(() => rm(directory, { recursive: true, force: true }));
    const node = await startRedis({
      options: ["--dir", directory, "--cluster-enabled", "yes", "--cluster-port", `${await freePort()}`],
    });
    test.after(() => node.stop());
    test.after(closeEdges);
    await node.command("CLUSTER ADDSLOTSRANGE 0 16383");
    await eventually(async () => (await node.command("CLUSTER INFO")).includes("cluster_state:ok"));
    await node.age();
    const [here, there] = [await edge(node.url), await edge(node.url)];
    await here.pins.open(["user"]).acknowledged;
    const read = async (pid: string) => (await there.pins.read([pid, "nobody"], STRANGER)).pin;
    assert.deepEqual(await Promise.all(["user", "other", "user"].map(read)), ["pinned", "free", "pinned"]);
    assert.deepEqual(there.failures, []);
    await node.command("FLUSHALL");
    assert.equal(await read("other"), "unknown");
  });
});

describe("a look-up", () => {
  it("is a failure, not a free user, when the answer is no number", async (test) => {
    const server = createServer((socket) => answer(socket, "$5\r\nhello\r\n")).listen(0, "127.0.0.1");
    test.after(() => server.close());
    await once(server, "listening");
    const client = connectRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, "test");
    test.after(() => client.disconnect());
    await once(client, "ready");
    const store = new RedisPinStore(client, "meridian");
    await assert.rejects(store.remaining(["user"]), TypeError);
    await assert.rejects(store.begin(["user"], "a.1", INTENT_MS), TypeError);
  });
});

function answer(socket: Socket, reply: string): void {
  socket.on("data", (commands) => {
    const count = commands.toString().split(/^\*/m).length - 1;
    socket.write(reply.repeat(count));
  });
}
