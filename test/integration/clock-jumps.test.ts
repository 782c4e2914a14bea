import assert from "node:assert/strict";
import { afterEach, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { stringify } from "yaml";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { resetWallClock, setWallClock } from "../support/wall-clock.ts";
import { startWorld } from "../support/world.ts";

const HOUR_MS = 3_600_000;
const WINDOW_MS = 3_000;

afterEach(resetWallClock);

async function edgeOf(t: TestContext, overrides: object): Promise<Edge> {
  const world = await startWorld({ lagMs: 0 });
  t.after(() => world.stop());
  const edge = await startTestEdge(
    world,
    stringify({ consistency: { graceWindow: `${WINDOW_MS}ms` }, ...overrides }),
  );
  t.after(() => edge.stop(0));
  return edge;
}

async function get({ httpUrl }: Edge, headers: Record<string, string>) {
  const answer = await request(`${httpUrl}/items/a`, { headers });
  await answer.body.dump();
  const said = (name: string) => String(answer.headers[name] ?? "");
  return {
    from: `${said("x-meridian-region")} ${said("x-meridian-reason")}`,
    status: answer.statusCode,
    home: /meridian_affinity=[^;]+/.exec(said("set-cookie"))?.[0] ?? null,
  };
}

async function write({ httpUrl }: Edge, headers: Record<string, string>): Promise<string> {
  const answer = await request(`${httpUrl}/items/a`, { method: "PUT", headers, body: "x" });
  await answer.body.dump();
  assert.equal(answer.statusCode, 200);
  return String(answer.headers["x-meridian-token"]);
}

for (const [what, byMs] of [
  ["ahead", HOUR_MS],
  ["back", -HOUR_MS],
] as const) {
  for (const store of ["this process", "Redis"] as const) {
    test(`a wall clock that is set ${what} by an hour changes no pin in ${store}, no session and no health`, async (t) => {
      const redis = store === "Redis" ? await startRedis({ aged: true }) : null;
      t.after(() => redis?.stop());
      const edge = await edgeOf(t, redis === null ? {} : { redis: { url: redis.url } });
      let probes = 0;
      const changes: string[] = [];
      edge.events.on("probed", ({ result }) => {
        probes += result === "pass" ? 1 : 0;
      });
      edge.events.on("healthChanged", ({ region, to }) => changes.push(`${region} ${to}`));
      const alice = { authorization: "Bearer alice" };
      const { home } = await get(edge, {});
      assert.ok(home !== null);
      const writtenMs = performance.now();
      const token = await write(edge, alice);

      setWallClock(byMs);
      const bob = { authorization: "Bearer bob" };
      await write(edge, bob);
      for (const pinned of [alice, { ...alice, "x-meridian-token": token }, bob]) {
        assert.deepEqual((await get(edge, pinned)).from, "us-east pin");
      }
      assert.ok(performance.now() - writtenMs < WINDOW_MS, "the machine is too slow for this window");
      const session = await get(edge, { cookie: home });
      assert.match(session.from, /^eu-west /);
      assert.ok(session.home !== null && session.home !== home, "its cookie is written anew");
      assert.match((await get(edge, { cookie: session.home })).from, /^eu-west affinity$/);

      await sleep(WINDOW_MS - (performance.now() - writtenMs));
      await eventually(async () => assert.match((await get(edge, alice)).from, /^eu-west /));
      await eventually(async () => assert.match((await get(edge, bob)).from, /^eu-west /));
      assert.ok(performance.now() - writtenMs < WINDOW_MS + 10_000);
      const before = probes;
      await eventually(() => probes >= before + 6);
      assert.deepEqual(changes, []);
    });
  }
}

test("a wall clock that is set moves the calendar with it, there and back", async (t) => {
  const start = new Date(Date.now() - 5_000);
  const cron = [start.getUTCSeconds(), start.getUTCMinutes(), start.getUTCHours(), "*", "*", "*"].join(" ");
  const entry = { region: "ap-south", cron, lasts: "10m", action: "drain", reason: "kernel update" };
  const edge = await edgeOf(t, { schedule: { maintenance: [entry] } });
  const admission = () => edge.table.view.byId.get("ap-south")?.admission;
  await eventually(() => admission() === "draining");
  setWallClock(HOUR_MS);
  await eventually(() => admission() === "open");
  setWallClock(-HOUR_MS);
  await eventually(() => admission() === "draining");
  assert.equal((await get(edge, {})).status, 200);
});
