import assert from "node:assert/strict";
import { afterEach, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import type { Edge } from "../../src/edge.ts";
import { eventually } from "../support/eventually.ts";
import { good, RawRegion } from "../support/raw-region.ts";
import { startRedis } from "../support/redis.ts";
import { startScripted } from "../support/scripted.ts";
import { resetWallClock, setWallClock } from "../support/wall-clock.ts";

const HOUR_MS = 3_600_000;
const WINDOW_MS = 4_000;
const ALICE = { authorization: "Bearer alice" };
const BOB = { authorization: "Bearer bob" };

afterEach(resetWallClock);

/** Reads prefer the replica. Neither region tells positions, so a pin lasts for its whole window. */
async function edgeOf(t: TestContext, overrides: object): Promise<Edge> {
  const [near, main] = await Promise.all([new RawRegion(good).start(), new RawRegion(good).start()]);
  t.after(() => Promise.all([near.stop(), main.stop()]));
  const regions = {
    near: { role: "replica", endpoints: [near.url] },
    main: { role: "writer", endpoints: [main.url] },
  };
  const health = { interval: "500ms", timeout: "450ms" };
  const consistency = { graceWindow: `${WINDOW_MS}ms` };
  const { edge, stop } = await startScripted({}, { regions, health, consistency, ...overrides });
  t.after(stop);
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

/** Writes, waits for the clock to be set, and looks until the pin has ended in its time. */
function keepsItsWord(edge: Edge, set: Promise<void>) {
  const hasWritten = Promise.withResolvers<void>();
  const holds = (async (): Promise<void> => {
    let probes = 0;
    const changes: string[] = [];
    edge.events.on("probed", ({ result }) => {
      probes += result === "pass" ? 1 : 0;
    });
    edge.events.on("healthChanged", ({ region, to }) => changes.push(`${region} ${to}`));
    const { home } = await get(edge, {});
    assert.ok(home !== null);
    const writtenMs = performance.now();
    const token = await write(edge, ALICE);
    hasWritten.resolve();
    await set;

    await write(edge, BOB);
    for (const pinned of [ALICE, { ...ALICE, "x-meridian-token": token }, BOB]) {
      assert.equal((await get(edge, pinned)).from, "main pin");
    }
    assert.ok(performance.now() - writtenMs < WINDOW_MS, "the machine is too slow for this window");
    const session = await get(edge, { cookie: home });
    assert.match(session.from, /^near /);
    assert.ok(session.home !== null && session.home !== home, "its cookie is written anew");
    assert.equal((await get(edge, { cookie: session.home })).from, "near affinity");

    await sleep(WINDOW_MS - (performance.now() - writtenMs));
    for (const user of [ALICE, BOB])
      await eventually(async () => assert.match((await get(edge, user)).from, /^near /));
    assert.ok(performance.now() - writtenMs < WINDOW_MS + 10_000);
    const before = probes;
    await eventually(() => probes >= before + 6);
    assert.deepEqual(changes, []);
  })();
  holds.catch(hasWritten.reject);
  return { hasWritten: hasWritten.promise, holds };
}

for (const [what, byMs] of [
  ["ahead", HOUR_MS],
  ["back", -HOUR_MS],
] as const) {
  test(`a wall clock that is set ${what} by an hour changes no pin, no session and no health`, async (t) => {
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    const edges = [await edgeOf(t, {}), await edgeOf(t, { redis: { url: redis.url } })];
    const set = Promise.withResolvers<void>();
    const watched = edges.map((edge) => keepsItsWord(edge, set.promise));
    await Promise.all(watched.map(({ hasWritten }) => hasWritten));
    setWallClock(byMs);
    set.resolve();
    await Promise.all(watched.map(({ holds }) => holds));
  });
}

test("a wall clock that is set moves the calendar with it, there and back", async (t) => {
  const start = new Date(Date.now() - 5_000);
  const cron = [start.getUTCSeconds(), start.getUTCMinutes(), start.getUTCHours(), "*", "*", "*"].join(" ");
  const entry = { region: "near", cron, lasts: "10m", action: "drain", reason: "kernel update" };
  const edge = await edgeOf(t, { schedule: { maintenance: [entry] } });
  const admission = () => edge.table.view.byId.get("near")?.admission;
  await eventually(() => admission() === "draining");
  setWallClock(HOUR_MS);
  await eventually(() => admission() === "open");
  setWallClock(-HOUR_MS);
  await eventually(() => admission() === "draining");
  assert.equal((await get(edge, {})).status, 200);
});
