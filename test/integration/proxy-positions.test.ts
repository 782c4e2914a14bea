import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import type { RegionSetup } from "../../src/demo/simulated-region.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const ALICE = { authorization: "Bearer alice" };
/** Far longer than any of these tests, so that nobody comes home because it is over. */
const WINDOW = { graceWindow: "50s" };

interface Stage {
  readonly world: SimulatedWorld;
  readonly here: Edge;
  readonly there: Edge;
}

/** Two edges before one world and one Redis. */
async function stage(
  t: TestContext,
  overrides: object = {},
  { ofHere = {}, apSouth = "replica" }: { ofHere?: object; apSouth?: "writer" | "replica" } = {},
): Promise<Stage> {
  const regions = [...REGIONS, { id: "ap-south", role: apSouth, delayMs: 60 }];
  const world = await startWorld({ lagMs: 300, regions });
  t.after(() => world.stop());
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const edge = async (id: string, more: object) => {
    const yaml = stringify({
      edge: { id },
      redis: { url: redis.url },
      routing: { policy: "priority" },
      consistency: WINDOW,
      ...overrides,
      ...more,
    });
    const started = await startTestEdge(world, yaml);
    t.after(() => started.stop(0));
    return started;
  };
  return { world, here: await edge("here", ofHere), there: await edge("there", {}) };
}

const REGIONS: readonly RegionSetup[] = [
  { id: "eu-west", role: "replica", delayMs: 2 },
  { id: "us-east", role: "writer", delayMs: 30 },
];

/** Region, reason and what is said of consistency, as one line. */
async function ask(
  edge: Edge,
  method: Dispatcher.HttpMethod,
  path: string,
  headers: Record<string, string> = ALICE,
): Promise<{ readonly said: string; readonly version: number | undefined; readonly token: string }> {
  const answer = await request(`${edge.httpUrl}${path}`, { method, headers });
  const one = (name: string) => answer.headers[`x-meridian-${name}`]?.toString() ?? "";
  const body = (await answer.body.json()) as { version?: number; fault?: string };
  const words = [body.fault ?? one("region"), one("reason"), one("consistency")];
  return {
    said: words.filter((word) => word !== "").join(" "),
    version: body.version,
    token: one("token"),
  };
}

describe("positions in the write log", { concurrency: 3 }, () => {
  test("a reader goes home as soon as its home has what it wrote, through any edge", async (t) => {
    const { here, there } = await stage(t);
    const written = await ask(here, "PUT", "/items/a");
    assert.equal(written.said, "us-east write");
    for (const edge of [here, there]) assert.equal((await ask(edge, "GET", "/items/a")).said, "us-east pin");
    const browser = { ...ALICE, "x-meridian-token": written.token };
    assert.equal((await ask(there, "GET", "/items/a", browser)).said, "us-east pin");
    for (const [edge, headers] of [
      [here, ALICE],
      [there, ALICE],
      [there, browser],
      [here, { "x-meridian-token": written.token, authorization: "Bearer alice" }],
    ] as const) {
      await eventually(async () => (await ask(edge, "GET", "/items/a", headers)).said === "eu-west priority");
      assert.equal((await ask(edge, "GET", "/items/a", headers)).version, 1);
    }
  });

  test("a token alone, of somebody without a name, lets nobody go before its time", async (t) => {
    const { world, here, there } = await stage(t);
    const { token } = await ask(here, "PUT", "/items/a", {});
    await eventually(async () => {
      const answer = await request(`${world.region("eu-west").url}/items/a`);
      return ((await answer.body.json()) as { version: number }).version === 1;
    });
    await sleep(1_200);
    assert.equal((await ask(there, "GET", "/items/a", { "x-meridian-token": token })).said, "us-east pin");
  });

  test("a reader stays with the writer while its home is behind, and while it writes", async (t) => {
    const { world, here, there } = await stage(t, { health: { maxLag: "40s" } });
    await ask(here, "PUT", "/items/a");
    await eventually(async () => (await ask(there, "GET", "/items/a")).said === "eu-west priority");
    world.region("eu-west").freezeReplication();
    assert.equal((await ask(there, "PUT", "/items/a")).version, 2);
    const endAtMs = performance.now() + 2_500;
    while (performance.now() < endAtMs)
      for (const edge of [here, there]) {
        const { said, version } = await ask(edge, "GET", "/items/a");
        assert.deepEqual([said, version], ["us-east pin", 2]);
      }
  });

  test("with the writer gone, a reader is served by a region that has what it wrote", async (t) => {
    const { world, there } = await stage(t);
    assert.equal((await ask(there, "PUT", "/items/a")).version, 1);
    await eventually(async () => (await ask(there, "GET", "/items/a")).said === "eu-west priority");
    await world.region("us-east").kill();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(there, "GET", "/items/a")));
    for (const { said, version } of answers) assert.deepEqual([said.split(" ")[0], version], ["eu-west", 1]);
  });

  const SEVERAL = { routing: { topology: "multi-writer" }, regions: { "ap-south": { role: "writer" } } };
  /** For `here` us-east is a replica, so that whoever writes through it writes in ap-south. */
  const BY_AP_SOUTH = { regions: { "ap-south": { role: "writer" }, "us-east": { role: "replica" } } };

  test("with several writers, who has written reads there and goes on writing there, through any edge", async (t) => {
    const { here, there } = await stage(t, SEVERAL, { ofHere: BY_AP_SOUTH, apSouth: "writer" });
    assert.equal(
      (await ask(there, "PUT", "/items/other", { authorization: "Bearer bob" })).said,
      "us-east write",
    );
    const { said, token } = await ask(here, "PUT", "/items/a");
    assert.equal(said, "ap-south write");
    assert.equal((await ask(there, "GET", "/items/a")).said, "ap-south pin");
    assert.equal((await ask(there, "GET", "/items/a", { "x-meridian-token": token })).said, "ap-south pin");
    assert.equal((await ask(there, "PUT", "/items/a")).said, "ap-south write");
    assert.equal((await ask(here, "GET", "/items/a")).version, 2);
  });

  test("when the region that took the writes is gone, reads are refused and writes go on elsewhere, marked", async (t) => {
    const { world, here, there } = await stage(t, SEVERAL, { ofHere: BY_AP_SOUTH, apSouth: "writer" });
    assert.equal((await ask(here, "PUT", "/items/a")).said, "ap-south write");
    await world.region("ap-south").kill();
    await eventually(async () => (await ask(there, "GET", "/items/a")).said === "writer_down");
    assert.equal((await ask(there, "PUT", "/items/a")).said, "us-east write stale");
    assert.equal((await ask(there, "GET", "/items/a")).said, "us-east pin stale");
  });
});
