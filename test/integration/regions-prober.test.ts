import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, request } from "undici";
import { systemClock } from "../../src/clock.ts";
import { type Config, configSchema } from "../../src/config/schema.ts";
import { EventBus } from "../../src/events.ts";
import { Prober } from "../../src/regions/probes.ts";
import { RegionTable } from "../../src/regions/table.ts";
import { eventually } from "../support/eventually.ts";
import { answers, answersJson, closedPort, httpTarget, type Target, tcpTarget } from "./regions-servers.ts";

type Origins = Readonly<Record<string, readonly string[]>>;

/** Regions by name, the first one the writer. */
function configOf(regions: Origins, interval = "200ms", more: Record<string, unknown> = {}): Config {
  const written = Object.entries(regions).map(([id, endpoints], index) => {
    return [id, { role: index === 0 ? "writer" : "replica", endpoints }];
  });
  const health = { interval, timeout: interval === "200ms" ? "150ms" : "400ms" };
  return configSchema.parse({ regions: Object.fromEntries(written), health, ...more });
}

interface Running {
  readonly table: RegionTable;
  readonly prober: Prober;
  readonly events: EventBus;
  readonly said: string[];
  readonly probes: string[];
}

function running(context: TestContext, config: Config): Running {
  const events = new EventBus();
  const [said, probes]: [string[], string[]] = [[], []];
  events.on("healthChanged", ({ region, from, to }) => said.push(`${region} ${from}->${to}`));
  events.on("probed", ({ endpoint, result }) => probes.push(`${endpoint} ${result}`));
  const table = new RegionTable(config, { clock: systemClock, events });
  const parts = { clock: systemClock, chance: () => 0.5, version: "test" };
  const prober = new Prober(table, config, parts);
  context.after(async () => {
    await prober.stop();
    await table.close();
  });
  return { table, prober, events, said, probes };
}

async function target(context: TestContext, answer: RequestListener): Promise<Target> {
  const made = await httpTarget(answer);
  context.after(() => made[Symbol.asyncDispose]());
  return made;
}

function slowly(ms: number, answer: RequestListener): RequestListener {
  return (request, response) => {
    setTimeout(() => answer(request, response), ms);
  };
}

function health(table: RegionTable): Record<string, string> {
  return Object.fromEntries(table.view.regions.map((region) => [region.id, region.health]));
}

async function get(table: RegionTable, region: string): Promise<string> {
  const endpoint = table.pick(region, new Set(), Math.random);
  assert.ok(endpoint);
  const { body } = await request(endpoint.origin, {
    dispatcher: endpoint.dispatcher as unknown as Dispatcher,
  });
  return body.text();
}

test("a first round hears from every region, the living, the sick and the silent", async (context) => {
  const well = await target(context, answersJson({ lagMs: 30 }));
  const sick = await target(context, answers(503));
  const hole = await tcpTarget(() => {});
  context.after(() => hole[Symbol.asyncDispose]());
  const gone = `http://127.0.0.1:${await closedPort()}`;
  const regions = { well: [well.origin], sick: [sick.origin], hole: [hole.origin], gone: [gone] };
  const { table, prober } = running(context, configOf(regions));
  await prober.firstRound();
  assert.deepEqual(health(table), { well: "up", sick: "down", hole: "down", gone: "down" });
  assert.equal(table.view.byId.get("well")?.lagMs, 30);
});

test("a first round ranks regions by their distance, however slow their first answer was", async (context) => {
  let first = true;
  const near = await target(context, (request, response) => {
    const delayMs = first ? 120 : 0;
    first = false;
    slowly(delayMs, answers(200))(request, response);
  });
  const far = await target(context, slowly(60, answers(200)));
  const { table, prober } = running(context, configOf({ far: [far.origin], near: [near.origin] }));
  await prober.firstRound();
  assert.deepEqual(
    table.view.nearest.map(({ id }) => id),
    ["near", "far"],
  );
  const latencyMs = table.view.byId.get("far")?.latencyMs ?? 0;
  assert.ok(latencyMs >= 55 && latencyMs < 150, `${latencyMs}`);
});

test("a region that dies goes down, and comes up when it is back", async (context) => {
  let isWell = true;
  const one = await target(context, (request, response) => {
    if (isWell) answers(200)(request, response);
    else response.destroy();
  });
  const { table, prober, said } = running(context, configOf({ one: [one.origin] }));
  await prober.firstRound();
  prober.start();
  isWell = false;
  await eventually(() => health(table).one === "down");
  isWell = true;
  await eventually(() => health(table).one === "up");
  assert.deepEqual(said, ["one unknown->up", "one up->down", "one down->up"]);
});

test("a failed request brings a probe at once, many bring only a few", async (context) => {
  const one = await target(context, answers(200));
  const { table, prober, probes } = running(context, configOf({ one: [one.origin] }, "10s"));
  await prober.firstRound();
  prober.start();
  await sleep(150);
  const before = probes.length;
  const [endpoint] = table.endpoints;
  assert.ok(endpoint);
  for (let n = 0; n < 200; n += 1) {
    table.failed(endpoint, "reset");
    table.succeeded(endpoint);
    await sleep(1);
  }
  const asked = probes.length - before;
  assert.ok(asked >= 2, `${asked} probes`);
  // One per 100 ms at most, however long the 200 pauses took on this machine; the next regular one is 10 s away.
  assert.ok(asked <= 30, `${asked} probes`);
});

test("a region whose requests fail while its probes pass is back only after passing probes", async (context) => {
  const one = await target(context, answers(200));
  const { table, prober, said } = running(context, configOf({ one: [one.origin] }));
  await prober.firstRound();
  prober.start();
  const [endpoint] = table.endpoints;
  assert.ok(endpoint);
  for (let n = 0; n < 5; n += 1) table.failed(endpoint, "reset");
  assert.equal(health(table).one, "down");
  await eventually(() => health(table).one === "up");
  assert.deepEqual(said, ["one unknown->up", "one up->down", "one down->up"]);
});

test("no region goes down because this process slept", async (context) => {
  const targets = await Promise.all(["a", "b", "c"].map(() => target(context, answers(200))));
  const regions = Object.fromEntries(targets.map(({ origin }, index) => [`r${index}`, [origin]]));
  const { prober, said, probes } = running(context, configOf(regions));
  await prober.firstRound();
  prober.start();
  const before = said.length;
  for (let n = 0; n < 3; n += 1) {
    await sleep(300);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  }
  await sleep(300);
  assert.deepEqual(said.slice(before), []);
  assert.deepEqual(
    probes.filter((probe) => !probe.endsWith("pass")),
    [],
  );
});

test("a reload probes a new endpoint at once and leaves a removed one alone", async (context) => {
  let asked = 0;
  const old = await target(context, (request, response) => {
    asked += 1;
    answers(200)(request, response);
  });
  const fresh = await target(context, answers(200));
  const before = configOf({ one: [old.origin] }, "10s");
  const { table, prober } = running(context, before);
  await prober.firstRound();
  prober.start();
  const after = configOf({ one: [old.origin], two: [fresh.origin] }, "10s");
  table.configure(after);
  prober.configure(after);
  assert.deepEqual(health(table), { one: "up", two: "unknown" });
  await eventually(() => health(table).two === "up");

  const without = configOf({ two: [fresh.origin] });
  table.configure(without);
  prober.configure(without);
  const askedBefore = asked;
  await sleep(600);
  assert.equal(asked, askedBefore);
});

test("a request in flight survives the removal of its endpoint and a change of its pool", async (context) => {
  const slow = await target(context, slowly(300, answers(200, "whole")));
  const other = await target(context, answers(200));
  const before = configOf({ one: [slow.origin], two: [other.origin] });
  const { table } = running(context, before);
  const [first, second] = [get(table, "one"), get(table, "one")];
  await sleep(50);
  table.configure(
    configOf({ one: [slow.origin], two: [other.origin] }, "200ms", { proxy: { connectTimeout: "1s" } }),
  );
  const third = get(table, "one");
  await sleep(50);
  table.configure(configOf({ two: [other.origin] }));
  assert.equal(table.pick("one", new Set(), Math.random), null);
  assert.deepEqual(await Promise.all([first, second, third]), ["whole", "whole", "whole"]);
});

test("a request whose endpoint is removed between its pick and its dispatch is served", async (context) => {
  const [one, two] = [await target(context, answers(200, "served")), await target(context, answers(200))];
  const { table } = running(context, configOf({ one: [one.origin], two: [two.origin] }));
  const endpoint = table.pick("one", new Set(), Math.random);
  assert.ok(endpoint);
  table.configure(configOf({ two: [two.origin] }));
  await sleep(50);
  const { body } = await request(endpoint.origin, {
    dispatcher: endpoint.dispatcher as unknown as Dispatcher,
  });
  assert.equal(await body.text(), "served");
});

test("no request fails while reloads turn the pools of its region over", async (context) => {
  const [a, b] = [
    await target(context, slowly(20, answers(200, "a"))),
    await target(context, slowly(20, answers(200, "b"))),
  ];
  const written = (endpoints: readonly string[], proxy: object) =>
    configOf({ one: endpoints }, "200ms", { proxy: { connectionsPerEndpoint: 4, ...proxy } });
  const both = [a.origin, b.origin];
  const { table } = running(context, written(both, {}));
  const served = { a: 0, b: 0 };
  let isOver = false;
  const client = async (): Promise<void> => {
    while (!isOver) {
      const endpoint = table.pick("one", new Set(), Math.random);
      assert.ok(endpoint);
      // As a write that waits for its pin.
      if (Math.random() < 0.3) await sleep(Math.random() * 30);
      table.started(endpoint);
      const { body } = await request(endpoint.origin, {
        dispatcher: endpoint.dispatcher as unknown as Dispatcher,
      });
      served[(await body.text()) as "a" | "b"] += 1;
      table.finished(endpoint);
    }
  };
  const reloads = [
    () => written(both, { responseTimeout: "31s" }),
    () => written([a.origin], {}),
    () => written(both, { connectTimeout: "1s" }),
    () => written([b.origin], { connectTimeout: "1s" }),
    () => written(both, {}),
  ];
  // More clients than connections, so that requests wait in the queues of the pools too.
  const clients = Promise.all(Array.from({ length: 24 }, client));
  clients.catch(() => {
    isOver = true;
  });
  for (let round = 0; round < 30 && !isOver; round += 1) {
    await sleep(40);
    const reload = reloads[round % reloads.length];
    if (reload !== undefined) table.configure(reload());
  }
  isOver = true;
  await clients;
  assert.ok(served.a > 100 && served.b > 100, JSON.stringify(served));
});

test("a listener of probes that throws ends no endpoint's probes and keeps no health from being seen", async (context) => {
  let isWell = true;
  const one = await target(context, (request, response) => {
    if (isWell) answers(200)(request, response);
    else response.destroy();
  });
  const { table, prober, events } = running(context, configOf({ one: [one.origin] }));
  const failures = new Set<string>();
  events.on("failed", ({ where, error }) => failures.add(`${where}: ${error.message}`));
  events.on("probed", () => {
    throw new Error("a bug of ours");
  });
  await prober.firstRound();
  prober.start();
  isWell = false;
  await eventually(() => health(table).one === "down");
  isWell = true;
  await eventually(() => health(table).one === "up");
  assert.deepEqual([...failures], ["probe: a bug of ours"]);
});

test("connections of an endpoint are bounded", async (context) => {
  const slow = await target(context, slowly(50, answers(200)));
  const { table } = running(
    context,
    configOf({ one: [slow.origin] }, "200ms", { proxy: { connectionsPerEndpoint: 3 } }),
  );
  await Promise.all(Array.from({ length: 12 }, () => get(table, "one")));
  assert.equal(slow.connections(), 3);
});

test("stopping ends the probes", async (context) => {
  let asked = 0;
  const one = await target(context, (request, response) => {
    asked += 1;
    answers(200)(request, response);
  });
  const { prober, table } = running(context, configOf({ one: [one.origin] }));
  await prober.firstRound();
  prober.start();
  await eventually(() => asked > 5);
  await prober.stop();
  await table.close();
  const before = asked;
  await sleep(500);
  assert.equal(asked, before);
  assert.equal(health(table).one, "up");
});

test("stopping while a probe is under way neither counts it nor begins another", async (context) => {
  let asked = 0;
  const one = await target(context, (request, response) => {
    asked += 1;
    if (asked <= 3) answers(200)(request, response);
  });
  const { prober, probes } = running(context, configOf({ one: [one.origin] }));
  await prober.firstRound();
  prober.start();
  await eventually(() => asked === 4);
  await prober.stop();
  await sleep(600);
  assert.equal(asked, 4);
  assert.equal(probes.length, 3);
});
