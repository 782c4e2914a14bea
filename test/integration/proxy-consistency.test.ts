import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startScripted } from "../support/scripted.ts";
import { startWorld } from "../support/world.ts";

/** What the tests look at of an answer. */
interface Answer {
  readonly status: number;
  readonly region: string;
  readonly reason: string;
  readonly consistency: string | undefined;
  readonly version: number | undefined;
  readonly token: string | undefined;
  readonly cookies: Readonly<Record<string, string>>;
  readonly headers: Record<string, string | string[] | undefined>;
}

async function ask(
  edge: Edge,
  method: Dispatcher.HttpMethod,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await request(`${edge.httpUrl}${path}`, { method, headers });
  const body = (await answer.body.json().catch(() => ({}))) as { version?: number };
  const one = (name: string): string | undefined => answer.headers[name]?.toString();
  const lines = [answer.headers["set-cookie"] ?? []].flat();
  return {
    status: answer.statusCode,
    region: one("x-meridian-region") ?? "",
    reason: one("x-meridian-reason") ?? "",
    consistency: one("x-meridian-consistency"),
    version: body.version,
    token: one("x-meridian-token"),
    cookies: Object.fromEntries(lines.map((line) => (line.split(";", 1)[0] ?? "").split(/=(.*)/, 2))),
    headers: answer.headers,
  };
}

async function world(t: TestContext, lagMs = 400): Promise<SimulatedWorld> {
  const started = await startWorld({ lagMs });
  t.after(() => started.stop());
  return started;
}

async function edgeBefore(
  t: TestContext,
  regions: SimulatedWorld,
  overrides: Record<string, unknown> = {},
): Promise<Edge> {
  const edge = await startTestEdge(regions, stringify(overrides));
  t.after(() => edge.stop(0));
  return edge;
}

async function redisFor(t: TestContext): Promise<RedisServer> {
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  return redis;
}

const ALICE = { authorization: "Bearer alice" };
const BOB = { authorization: "Bearer bob" };

test("whoever has written reads from the writer, on any device, and comes home after the window", async (t) => {
  const edge = await edgeBefore(t, await world(t));
  const before = await ask(edge, "GET", "/items/a", ALICE);
  assert.deepEqual([before.region, before.reason], ["eu-west", "latency"]);
  const home = { cookie: `meridian_affinity=${before.cookies.meridian_affinity}` };

  const written = await ask(edge, "PUT", "/items/a", { ...ALICE, ...home });
  assert.deepEqual([written.region, written.reason, written.version], ["us-east", "write", 1]);
  assert.equal(written.cookies.meridian_affinity, undefined, "a write is a detour");

  const otherDevice = await ask(edge, "GET", "/items/a", ALICE);
  assert.deepEqual([otherDevice.region, otherDevice.reason, otherDevice.version], ["us-east", "pin", 1]);
  assert.equal(otherDevice.cookies.meridian_affinity, undefined, "a pin makes no home");

  const somebodyElse = await ask(edge, "GET", "/items/a", BOB);
  assert.equal(somebodyElse.region, "eu-west");

  await eventually(
    async () => (await ask(edge, "GET", "/items/a", { ...ALICE, ...home })).reason === "affinity",
  );
  const back = await ask(edge, "GET", "/items/a", { ...ALICE, ...home });
  assert.deepEqual([back.region, back.version], ["eu-west", 1]);
});

test("a browser without any identity is named with its first write and pinned by its cookies", async (t) => {
  const edge = await edgeBefore(t, await world(t));
  const written = await ask(edge, "POST", "/items/b");
  assert.ok(written.cookies.meridian_id && written.cookies.meridian_pin && written.token);
  const byToken = await ask(edge, "GET", "/items/b", {
    cookie: `meridian_pin=${written.cookies.meridian_pin}`,
  });
  assert.deepEqual([byToken.region, byToken.reason], ["us-east", "pin"]);
  const byHeader = await ask(edge, "GET", "/items/b", { "x-meridian-token": written.token });
  assert.equal(byHeader.reason, "pin");
  const byName = await ask(edge, "GET", "/items/b", { cookie: `meridian_id=${written.cookies.meridian_id}` });
  assert.equal(byName.reason, "pin");
  const forged = await ask(edge, "GET", "/items/b", {
    cookie: `meridian_pin=x${written.cookies.meridian_pin}`,
  });
  assert.equal(forged.region, "eu-west");
});

test("a pin written through one edge is seen by another", async (t) => {
  const [regions, redis] = [await world(t, 1_500), await redisFor(t)];
  const one = await edgeBefore(t, regions, { redis: { url: redis.url }, edge: { id: "one" } });
  const two = await edgeBefore(t, regions, { redis: { url: redis.url }, edge: { id: "two" } });
  for (let i = 1; i <= 20; i += 1) {
    assert.equal((await ask(one, "PUT", "/items/c", ALICE)).version, i);
    const read = await ask(two, "GET", "/items/c", ALICE);
    assert.deepEqual([read.region, read.version], ["us-east", i]);
  }
});

/** A writer that answers with the headers a query asks for, and a replica that is asked first. */
async function outspoken(t: TestContext, consistency: Record<string, unknown> = {}): Promise<Edge> {
  const writer: RequestListener = (req, res) => {
    const { searchParams } = new URL(req.url ?? "/", "http://region");
    for (const [name, value] of searchParams) res.setHeader(name, value);
    res.end("{}");
  };
  const started = await startScripted(
    { writer, near: writer },
    { routing: { policy: "weighted" }, consistency: { graceWindow: "1s", ...consistency } },
  );
  t.after(() => started.stop());
  return started.edge;
}

async function reasonOf(edge: Edge, headers: Record<string, string>): Promise<string> {
  return (await ask(edge, "GET", "/", headers)).reason;
}

test("a write that the region says was none pins nobody", async (t) => {
  const edge = await outspoken(t);
  const answer = await ask(edge, "POST", "/?x-meridian-wrote=0", ALICE);
  assert.deepEqual(
    [answer.reason, answer.token, answer.headers["x-meridian-wrote"]],
    ["write", undefined, undefined],
  );
  assert.equal(await reasonOf(edge, ALICE), "weight");
});

test("a read that the region says wrote pins its user", async (t) => {
  const edge = await outspoken(t);
  const answer = await ask(edge, "GET", "/?x-meridian-wrote=1", ALICE);
  assert.ok(answer.token);
  assert.equal(await reasonOf(edge, ALICE), "pin");
  await eventually(async () => assert.equal(await reasonOf(edge, ALICE), "weight"));
});

test("the first read after a login is covered: the session it established is pinned", async (t) => {
  const edge = await outspoken(t, { identity: [{ cookie: "session" }, { header: "x-user" }] });
  await ask(edge, "POST", "/login?set-cookie=session%3Ds1%3B%20Path%3D%2F");
  assert.equal(await reasonOf(edge, { cookie: "session=s1" }), "pin");
  assert.equal(await reasonOf(edge, { cookie: "session=s2" }), "weight");
  await ask(edge, "POST", "/login?x-meridian-principal=u1");
  assert.equal(await reasonOf(edge, { "x-user": "u1" }), "pin");
});

test("a write that ended in a 5xx may have happened, so its user stays pinned beyond the window", async (t) => {
  const failing: RequestListener = (req, res) => {
    res.statusCode = req.method === "POST" ? 500 : 200;
    res.end();
  };
  const started = await startScripted(
    { writer: failing, near: failing },
    { routing: { policy: "weighted" }, consistency: { graceWindow: "200ms" } },
  );
  t.after(() => started.stop());
  assert.equal((await ask(started.edge, "POST", "/", ALICE)).status, 500);
  await sleep(600);
  assert.equal(await reasonOf(started.edge, ALICE), "pin");
});

test("while Redis is dead nothing fails and what cannot be promised is said", async (t) => {
  const [regions, redis] = [await world(t), await redisFor(t)];
  const edge = await edgeBefore(t, regions, { redis: { url: redis.url } });
  assert.equal((await ask(edge, "PUT", "/items/d", ALICE)).consistency, undefined);
  await redis.kill();

  const written = await ask(edge, "PUT", "/items/d", ALICE);
  assert.deepEqual([written.status, written.version, written.consistency], [200, 2, "cookie-only"]);
  const local = await ask(edge, "GET", "/items/d", ALICE);
  assert.deepEqual([local.region, local.reason, local.version], ["us-east", "pin", 2]);
  const unknown = await ask(edge, "GET", "/items/d", BOB);
  assert.deepEqual([unknown.region, unknown.reason], ["us-east", "pin-unknown"]);
  const nobody = await ask(edge, "GET", "/items/d");
  assert.equal(nobody.region, "eu-west");
});

test("with onRedisDown failOpen a reader nobody knows of goes home, marked degraded", async (t) => {
  const [regions, redis] = [await world(t), await redisFor(t)];
  const edge = await edgeBefore(t, regions, {
    redis: { url: redis.url },
    consistency: { onRedisDown: { reads: "failOpen" } },
  });
  await redis.kill();
  const read = await eventually(async () => {
    const answer = await ask(edge, "GET", "/items/e", BOB);
    assert.equal(answer.consistency, "degraded");
    return answer;
  });
  assert.equal(read.region, "eu-west");
});

test("with onRedisDown reject a write that cannot be recorded is not made", async (t) => {
  const [regions, redis] = [await world(t), await redisFor(t)];
  const edge = await edgeBefore(t, regions, {
    redis: { url: redis.url },
    consistency: { onRedisDown: { writes: "reject" } },
  });
  assert.equal((await ask(edge, "PUT", "/items/f", ALICE)).version, 1);
  await redis.kill();
  const refused = await ask(edge, "PUT", "/items/f", ALICE);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal((await ask(edge, "GET", "/items/f", BOB)).version, 1, "and nothing was executed");
});

test("with onRedisDown delay a write's head waits until every replica says that it has the write", async (t) => {
  const [regions, redis] = [await world(t, 300), await redisFor(t)];
  const edge = await edgeBefore(t, regions, {
    redis: { url: redis.url },
    consistency: { onRedisDown: { writes: "delay" } },
  });
  await redis.kill();
  const startedMs = performance.now();
  const written = await ask(edge, "PUT", "/items/g", ALICE);
  assert.ok(performance.now() - startedMs > 250, "a replica lags 300 ms");
  assert.deepEqual([written.status, written.consistency], [200, undefined]);
  for (const { url } of regions.regions) {
    const there = await request(`${url}/items/g`);
    assert.equal(((await there.body.json()) as { version: number }).version, 1);
  }
});

test("a stopped Redis delays nobody for long, and its late answers harm nobody", async (t) => {
  const [regions, redis] = [await world(t), await redisFor(t)];
  const edge = await edgeBefore(t, regions, { redis: { url: redis.url } });
  redis.pause();
  const startedMs = performance.now();
  for (let i = 1; i <= 10; i += 1) {
    assert.equal((await ask(edge, "PUT", "/items/h", ALICE)).version, i);
    assert.equal((await ask(edge, "GET", "/items/h", ALICE)).version, i);
  }
  assert.ok(performance.now() - startedMs < 5_000);
  redis.resume();
  await eventually(async () => (await ask(edge, "PUT", "/items/h", ALICE)).consistency === undefined);
});

test("in mode cookie only this browser is pinned, and Redis is not asked", async (t) => {
  const edge = await edgeBefore(t, await world(t), { consistency: { mode: "cookie" } });
  const written = await ask(edge, "PUT", "/items/i", ALICE);
  const same = await ask(edge, "GET", "/items/i", {
    ...ALICE,
    cookie: `meridian_pin=${written.cookies.meridian_pin}`,
  });
  assert.equal(same.region, "us-east");
  assert.equal((await ask(edge, "GET", "/items/i", ALICE)).region, "eu-west");
  const nameless = await ask(edge, "PUT", "/items/i");
  assert.deepEqual([nameless.cookies.meridian_id, nameless.token !== undefined], [undefined, true]);
});

test("in mode off nobody is pinned and no token is given", async (t) => {
  const edge = await edgeBefore(t, await world(t), { consistency: { mode: "off" } });
  const written = await ask(edge, "PUT", "/items/j", ALICE);
  assert.deepEqual([written.token, written.cookies.meridian_pin], [undefined, undefined]);
  assert.equal((await ask(edge, "GET", "/items/j", ALICE)).region, "eu-west");
});

test("a session stays where it is while its region drains, and moves when it is closed", async (t) => {
  const edge = await edgeBefore(t, await world(t));
  const first = await ask(edge, "GET", "/items/k");
  const cookie = `meridian_affinity=${first.cookies.meridian_affinity}`;
  assert.equal(first.region, "eu-west");
  const now = { reason: "test", by: "test", sinceWallMs: Date.now(), deadlineWallMs: null };

  await edge.admissions.set("eu-west", { state: "draining", ...now });
  const staying = await ask(edge, "GET", "/items/k", { cookie });
  assert.deepEqual([staying.region, staying.reason], ["eu-west", "affinity"]);
  assert.equal((await ask(edge, "GET", "/items/k")).region, "us-east");

  await edge.admissions.set("eu-west", { state: "closed", ...now });
  const moved = await ask(edge, "GET", "/items/k", { cookie });
  assert.equal(moved.region, "us-east");
  assert.ok(moved.cookies.meridian_affinity);

  await edge.admissions.set("eu-west", { state: "open", ...now });
  const there = { cookie: `meridian_affinity=${moved.cookies.meridian_affinity}` };
  assert.deepEqual((await ask(edge, "GET", "/items/k", there)).region, "us-east", "and stays there");
});

test("a forged affinity cookie is no cookie", async (t) => {
  const edge = await edgeBefore(t, await world(t));
  const first = await ask(edge, "GET", "/items/l", {
    cookie: "meridian_affinity=dXMtZWFzdHwx.AAAAAAAAAAAAAAAAAAAAAA",
  });
  assert.deepEqual([first.region, first.reason], ["eu-west", "latency"]);
});

test("a session moves away from a region that dies, and nobody sees an error", async (t) => {
  const regions = await world(t);
  const edge = await edgeBefore(t, regions);
  const first = await ask(edge, "GET", "/items/m");
  let cookie = `meridian_affinity=${first.cookies.meridian_affinity}`;
  const euWest = regions.region("eu-west");
  await euWest.kill();
  for (let i = 0; i < 30; i += 1) {
    const answer = await ask(edge, "GET", "/items/m", { cookie });
    assert.equal(answer.status, 200);
    if (answer.cookies.meridian_affinity) cookie = `meridian_affinity=${answer.cookies.meridian_affinity}`;
    await sleep(20);
  }
  await eventually(async () => {
    const answer = await ask(edge, "GET", "/items/m", { cookie });
    if (answer.cookies.meridian_affinity) cookie = `meridian_affinity=${answer.cookies.meridian_affinity}`;
    assert.deepEqual([answer.region, answer.reason], ["us-east", "affinity"]);
  });
});

test("beyond what the operator lets one user's pin bring to the writer, his reads go home and say so", async (t) => {
  const edge = await edgeBefore(t, await world(t), { consistency: { pinnedReadsPerSecond: 5 } });
  await ask(edge, "PUT", "/items/a", ALICE);
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask(edge, "GET", "/items/a", ALICE)));
  const home = answers.filter(({ region }) => region === "eu-west");
  assert.ok(home.length >= 20 && home.length <= 35, `${home.length}`);
  assert.ok(home.every(({ consistency }) => consistency === "degraded"));
  assert.ok(answers.every(({ region, consistency }) => region === "eu-west" || consistency === undefined));
  await ask(edge, "PUT", "/items/b", BOB);
  assert.equal((await ask(edge, "GET", "/items/b", BOB)).reason, "pin");
});
