import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Agent } from "undici";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { Tally } from "../../src/demo/tally.ts";
import { Visitor } from "../../src/demo/visitor.ts";
import { Visitors } from "../../src/demo/visitors.ts";
import { eventually } from "../support/eventually.ts";
import { load } from "../support/load.ts";
import { startWorld } from "../support/world.ts";

let world: SimulatedWorld;
let agent: Agent;

beforeEach(async () => {
  world = await startWorld({
    regions: [{ id: "us-east", role: "writer" }],
  });
  agent = new Agent();
});
afterEach(async () => {
  await agent.close();
  await world.stop();
});

test("a visitor is content with a read that shows its acknowledged write", async () => {
  const tally = new Tally();
  const visitor = new Visitor("ada", { origin: world.writer.url, agent }, tally);
  assert.equal((await visitor.write("a"))?.version, 1);
  assert.equal((await visitor.read("a", "phone"))?.stale, false);
  assert.deepEqual([tally.writes, tally.reads, tally.staleReads, tally.errorCount], [1, 1, 0, 0]);
});

test("a visitor counts a read that is older than its acknowledged write", async () => {
  const tally = new Tally();
  const visitor = new Visitor("ada", { origin: world.writer.url, agent }, tally);
  await visitor.write("a");
  const { port } = world.writer;
  await world.stop();
  // The same address, restored from a backup that lacks the write.
  world = await startWorld({ regions: [{ id: "us-east", role: "writer", port }] });
  assert.equal((await visitor.read("a"))?.stale, true);
  assert.equal(tally.staleReads, 1);
});

test("a visitor counts a request that failed", async () => {
  const tally = new Tally();
  const visitor = new Visitor("ada", { origin: world.writer.url, agent }, tally);
  await world.writer.kill();
  assert.equal(await visitor.read("a"), null);
  assert.deepEqual([...tally.errors.keys()], ["GET ECONNREFUSED"]);
});

test("visitors read, write and leave when told", async () => {
  const visitors = new Visitors({
    url: world.writer.url,
    count: 5,
    thinkMs: 5,
    writeShare: 0.3,
    chance: Math.random,
  });
  visitors.start();
  await eventually(() => visitors.tally.writes > 5 && visitors.tally.reads > 10);
  await visitors.stop();
  const { requests } = visitors.tally;
  assert.deepEqual([visitors.tally.errorCount, visitors.tally.staleReads], [0, 0]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(visitors.tally.requests, requests);
});

test("a load report counts answers and says when the last error was", async () => {
  const region = world.writer;
  setTimeout(() => void region.kill(), 500);
  const report = await load({ url: `${region.url}/items/a`, ratePerSecond: 100, durationMs: 1_000 });
  assert.equal(report.sent, 100);
  assert.ok((report.outcomes["200"] ?? 0) > 10);
  assert.ok(report.errors > 10);
  assert.ok(report.lastErrorAtMs !== null && report.lastErrorAtMs > 500);
});
