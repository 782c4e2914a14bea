import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { stringify } from "yaml";
import type { RegionSetup } from "../../src/demo/simulated-region.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import type { RequestRecord } from "../../src/events.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { NEAREST_FIRST, startWorld } from "../support/world.ts";

const KEY = "a-key-of-the-application";
const OTHER_KEY = "the-key-that-replaces-it";
const ALICE = { kind: "header:authorization", value: "Bearer alice" };

interface Stage {
  readonly world: SimulatedWorld;
  readonly redis: RedisServer;
  readonly here: Edge;
  readonly there: Edge;
}

/** Two edges before one world and one Redis. */
async function stage(
  t: TestContext,
  consistency: object = {},
  { more = {}, regions = NEAREST_FIRST }: { more?: object; regions?: readonly RegionSetup[] } = {},
): Promise<Stage> {
  const world = await startWorld({ regions });
  t.after(() => world.stop());
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const edge = async (id: string) => {
    const yaml = stringify({
      edge: { id },
      redis: { url: redis.url },
      routing: { policy: "priority" },
      consistency: { graceWindow: "30s", pinKeys: [KEY, OTHER_KEY], ...consistency },
      ...more,
    });
    const started = await startTestEdge(world, yaml);
    t.after(() => started.stop(0));
    return started;
  };
  return { world, redis, here: await edge("here"), there: await edge("there") };
}

interface Pinned {
  readonly recorded: boolean;
  readonly windowMs: number;
  readonly token: string | null;
  readonly fault?: string;
}

/** What the endpoint answers. */
async function pin(edge: Edge, body: unknown, init: RequestInit = {}) {
  const answer = await fetch(`${edge.httpUrl}/.meridian/pins`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}` },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Pinned };
}

/** Region and reason of a read. */
async function read(edge: Edge, headers: Record<string, string> = { authorization: "Bearer alice" }) {
  const answer = await fetch(`${edge.httpUrl}/items/a`, { headers });
  await answer.body?.cancel();
  return `${answer.headers.get("x-meridian-region")} ${answer.headers.get("x-meridian-reason")}`;
}

describe("an application that pins its users itself", { concurrency: 4 }, () => {
  test("a user whom the application pins reads from the writer through any edge, for the window", async (t) => {
    const { here, there } = await stage(t, { graceWindow: "3s" });
    assert.equal(await read(there), "eu-west priority");
    const answer = await pin(here, ALICE);
    assert.deepEqual([answer.status, answer.body.recorded, answer.body.windowMs], [200, true, 3_000]);
    assert.equal(answer.headers.get("content-type"), "application/json");
    assert.equal(answer.headers.get("x-meridian-consistency"), null);
    for (const edge of [here, there]) assert.equal(await read(edge), "us-east pin");
    assert.equal(await read(there, { authorization: "Bearer bob" }), "eu-west priority");
    for (const edge of [here, there])
      await eventually(async () => (await read(edge)) === "eu-west priority", { withinMs: 10_000 });
  });

  test("its token pins whoever brings it, as a header or as a cookie", async (t) => {
    const { here, there } = await stage(t);
    const { token } = (await pin(here, ALICE)).body;
    assert.equal(await read(there, {}), "eu-west priority");
    assert.equal(await read(there, { "x-meridian-token": token ?? "" }), "us-east pin");
    assert.equal(await read(there, { cookie: `meridian_pin=${token}` }), "us-east pin");
  });

  test("with a position the user goes home as soon as home has it, and not before", async (t) => {
    const { world, here, there } = await stage(t);
    await fetch(`${world.region("us-east").url}/items/a`, { method: "PUT" });
    const ahead = await pin(here, { ...ALICE, position: "1:000000000000ffff" });
    assert.equal(ahead.body.recorded, true);
    await eventually(async () => world.region("eu-west").version("a") === 1);
    await pin(here, { kind: "header:authorization", value: "Bearer bob", position: "1:1" });
    for (const edge of [here, there]) {
      await eventually(
        async () => (await read(edge, { authorization: "Bearer bob" })) === "eu-west priority",
      );
      assert.equal(await read(edge), "us-east pin");
    }
  });

  test("several identities of a user are pinned at once", async (t) => {
    const identity = [{ cookie: "session" }, { header: "x-user" }];
    const { here, there } = await stage(t, { identity });
    const identities = [
      { kind: "cookie:session", value: "s1" },
      { kind: "header:x-user", value: "7" },
    ];
    assert.equal((await pin(here, { identities })).body.recorded, true);
    assert.equal(await read(there, { cookie: "session=s1" }), "us-east pin");
    assert.equal(await read(there, { "x-user": "7" }), "us-east pin");
    assert.equal(await read(there, { "x-user": "8" }), "eu-west priority");
  });

  test("a call that is wrong is told why, pins nobody and reaches no region", async (t) => {
    const { world, here, there } = await stage(t);
    const records: RequestRecord[] = [];
    here.events.on("requestDone", (record) => records.push(record));
    const before = world.regions.map(({ answered }) => answered);
    const as = (authorization?: string): RequestInit => ({
      headers: authorization === undefined ? {} : { authorization },
    });
    const rows: readonly (readonly [what: unknown, init: RequestInit, status: number, fault: string])[] = [
      [ALICE, as(), 401, "unauthenticated"],
      [ALICE, as("Bearer alice"), 401, "unauthenticated"],
      [ALICE, as(`Bearer ${KEY}x`), 401, "unauthenticated"],
      [ALICE, as(`Basic ${KEY}`), 401, "unauthenticated"],
      ["", { method: "PUT" }, 405, "wrong_method"],
      ["not json", {}, 400, "bad_request"],
      ["[]", {}, 400, "bad_request"],
      [{}, {}, 400, "bad_request"],
      [{ ...ALICE, value: "" }, {}, 400, "bad_request"],
      [{ ...ALICE, value: 7 }, {}, 400, "bad_request"],
      [{ ...ALICE, window: 1 }, {}, 400, "bad_request"],
      [{ ...ALICE, position: "soon" }, {}, 400, "bad_request"],
      [{ ...ALICE, position: 1 }, {}, 400, "bad_request"],
      [{ ...ALICE, identities: [ALICE] }, {}, 400, "bad_request"],
      [{ identities: [] }, {}, 400, "bad_request"],
      [{ identities: [ALICE, ALICE, ALICE, ALICE] }, {}, 400, "bad_request"],
      [{ identities: [{ ...ALICE, position: "1:1" }] }, {}, 400, "bad_request"],
      [{ kind: "cookie:session", value: "s1" }, {}, 404, "unknown_identity"],
      [{ identities: [ALICE, { kind: "header:x", value: "1" }] }, {}, 404, "unknown_identity"],
      [{ ...ALICE, value: "x".repeat(20_000) }, {}, 413, "body_too_large"],
    ];
    for (const [what, init, status, fault] of rows) {
      const answer = await pin(here, what, init);
      assert.deepEqual(
        [answer.status, answer.body.fault],
        [status, fault],
        JSON.stringify(what).slice(0, 80),
      );
      assert.equal(answer.headers.get("content-type"), "application/problem+json");
      assert.doesNotMatch(JSON.stringify(answer.body), /alice|s1/);
      if (status === 401) assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
      if (status === 405) assert.equal(answer.headers.get("allow"), "POST");
    }
    await eventually(() => records.length === rows.length);
    assert.deepEqual(
      records.map(({ status, fault, path, region }) => [status, fault, path, region]),
      rows.map(([, , status, fault]) => [status, fault, "/.meridian/pins", null]),
    );
    assert.deepEqual(
      world.regions.map(({ answered }) => answered),
      before,
    );
    assert.equal(await read(there), "eu-west priority");
  });

  test("a body without an announced end is cut when it grows too long or takes too long", async (t) => {
    const { here } = await stage(t);
    const head = `POST /.meridian/pins HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n`;
    const long = `${head}Transfer-Encoding: chunked\r\n\r\n5000\r\n${"x".repeat(0x5000)}\r\n`;
    assert.match((await sendRaw(here.httpUrl, long)).text, /^HTTP\/1\.1 413 /);
    const slow = await sendRaw(here.httpUrl, `${head}Content-Length: 100\r\n\r\n{`, { forMs: 15_000 });
    assert.match(slow.text, /^HTTP\/1\.1 408 /);
    assert.equal(slow.closed, "end");
  });

  test("either key will do; without any the path is like any other", async (t) => {
    const { world, here } = await stage(t);
    const withKey = (key: string): RequestInit => ({ headers: { authorization: `Bearer ${key}` } });
    for (const key of [KEY, OTHER_KEY]) assert.equal((await pin(here, ALICE, withKey(key))).status, 200);
    const before = world.region("us-east").answered;
    const plain = await startTestEdge(world, stringify({ consistency: { pinKeys: [] } }));
    t.after(() => plain.stop(0));
    const forwarded = await pin(plain, ALICE);
    assert.equal(forwarded.headers.get("x-meridian-region"), "us-east");
    assert.equal(world.region("us-east").answered, before + 1);
  });

  test("a WebSocket to that path is refused, and a longer path forwarded", async (t) => {
    const { world, here } = await stage(t);
    for (const region of world.regions) acceptWebSockets(region);
    const socket = new WebSocket(`${here.httpUrl.replace("http", "ws")}/.meridian/pins`);
    socket.on("error", () => {});
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 405);
    const longer = await fetch(`${here.httpUrl}/.meridian/pins/alice`);
    assert.equal(longer.headers.get("x-meridian-region"), "eu-west");
    await longer.body?.cancel();
  });

  test("while Redis is away the answer says so, and the token and this edge still hold", async (t) => {
    const { redis, here, there } = await stage(t, { onRedisDown: { reads: "failOpen" } });
    await redis.kill();
    const answer = await pin(here, ALICE);
    assert.deepEqual([answer.status, answer.body.recorded], [200, false]);
    assert.equal(answer.headers.get("x-meridian-consistency"), "cookie-only");
    assert.equal(await read(here), "us-east pin");
    assert.equal(await read(there), "eu-west priority");
    assert.equal(await read(there, { "x-meridian-token": answer.body.token ?? "" }), "us-east pin");
  });

  test("while Redis is away it is refused when the operator wants pins recorded", async (t) => {
    const { redis, here } = await stage(t, { onRedisDown: { writes: "reject" } });
    await redis.kill();
    const answer = await pin(here, ALICE);
    assert.deepEqual([answer.status, answer.body.fault], [503, "pin_unrecorded"]);
    assert.equal(answer.headers.get("retry-after"), "1");
  });

  test("while Redis is away it waits until every region has the write when the operator wants that", async (t) => {
    const { world, redis, here } = await stage(t, { onRedisDown: { writes: "delay" } });
    await redis.kill();
    world.region("eu-west").freezeReplication();
    await fetch(`${world.region("us-east").url}/items/a`, { method: "PUT" });
    const answering = pin(here, { ...ALICE, position: "1:1" });
    const early = await Promise.race([
      answering,
      new Promise((resolve) => setTimeout(resolve, 800, "waits")),
    ]);
    assert.equal(early, "waits");
    world.region("eu-west").thawReplication();
    const answer = await answering;
    assert.deepEqual([answer.status, answer.body.recorded], [200, false]);
    assert.equal(answer.headers.get("x-meridian-consistency"), null);
    assert.equal(world.region("eu-west").version("a"), 1);
  });

  test("in mode cookie there is a token and nothing else, in mode off not even that", async (t) => {
    const cookie = await stage(t, { mode: "cookie" });
    const answer = await pin(cookie.here, ALICE);
    assert.deepEqual([answer.status, answer.body.recorded], [200, false]);
    assert.equal(await read(cookie.there), "eu-west priority");
    assert.equal(await read(cookie.there, { "x-meridian-token": answer.body.token ?? "" }), "us-east pin");
    const off = await stage(t, { mode: "off" });
    assert.deepEqual((await pin(off.here, ALICE)).body, { recorded: false, windowMs: 0, token: null });
  });

  test("in mode bounded every edge hears of it", async (t) => {
    const { here, there } = await stage(t, { mode: "bounded", staleness: "500ms" });
    assert.equal(await read(there), "eu-west priority");
    assert.equal((await pin(here, ALICE)).body.recorded, true);
    await eventually(async () => (await read(there)) === "us-east pin", { withinMs: 2_000 });
  });

  test("of several writers the one that took the write is named, and reads go there", async (t) => {
    const regions: readonly RegionSetup[] = [
      { id: "us-east", role: "writer", delayMs: 30 },
      { id: "eu-west", role: "replica", delayMs: 2 },
      { id: "ap-south", role: "writer", delayMs: 60 },
    ];
    const more = { routing: { topology: "multi-writer", nearness: { dwell: "500ms" }, slowStart: "0ms" } };
    const { here, there } = await stage(t, {}, { more, regions });
    for (const region of [undefined, "eu-west", "nowhere", "toString"])
      assert.equal((await pin(here, { ...ALICE, region })).body.fault, "bad_request");
    const { token, recorded } = (await pin(here, { ...ALICE, region: "ap-south" })).body;
    assert.equal(recorded, true);
    for (const edge of [here, there]) assert.equal(await read(edge), "ap-south pin");
    assert.equal(await read(there, { "x-meridian-token": token ?? "" }), "ap-south pin");
  });
});
