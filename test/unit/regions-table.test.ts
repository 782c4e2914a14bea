import assert from "node:assert/strict";
import { test } from "node:test";
import { rulesOf } from "../../src/config/rules.ts";
import type { Fault } from "../../src/errors.ts";
import { BEAT_MS, type OperatorAdmission } from "../../src/regions/table.ts";
import { lags } from "../../src/routing/lag.ts";
import { configOf, TWO_REGIONS, World } from "./regions-world.ts";

function fail(world: World, port: number, times: number, fault: Fault = "connect_failed"): void {
  for (let n = 0; n < times; n += 1) world.table.failed(world.endpoint(port), fault);
}

function operator(
  state: OperatorAdmission["state"],
  deadlineWallMs: number | null = null,
): OperatorAdmission {
  return { state, reason: "deploy", by: "ops", deadlineWallMs };
}

test("a region is unknown until a probe has passed, then up at once", () => {
  const world = new World();
  assert.equal(world.region("us-east").health, "unknown");
  world.probe(1, "pass");
  assert.equal(world.region("us-east").health, "up");
  assert.deepEqual(world.said, ["us-east unknown->up"]);
});

test("a region is as well as its best endpoint", () => {
  const world = new World();
  world.probe(2, "connect");
  assert.equal(world.region("eu-west").health, "unknown");
  world.probe(3, "degraded");
  assert.equal(world.region("eu-west").health, "degraded");
  world.probe(2, "pass");
  world.probe(2, "pass");
  assert.equal(world.region("eu-west").health, "up");
});

test("an endpoint that calls itself degraded is so at once, and well again at once", () => {
  const world = new World();
  world.probe(1, "pass");
  world.probe(1, "degraded");
  assert.equal(world.region("us-east").health, "degraded");
  world.probe(1, "pass");
  assert.equal(world.region("us-east").health, "up");
});

test("three failed probes take a region down and two passed ones bring it back", () => {
  const world = new World();
  world.probe(1, "pass");
  world.probes([1, 1], "timeout");
  assert.equal(world.region("us-east").health, "up");
  world.probe(1, "timeout");
  assert.equal(world.region("us-east").health, "down");
  world.probe(1, "pass");
  assert.equal(world.region("us-east").health, "down");
  world.probe(1, "pass");
  assert.equal(world.region("us-east").health, "up");
});

test("probes that this process has no descriptor for take no region down", () => {
  const world = new World();
  const warned: string[] = [];
  world.events.on("warned", ({ what }) => warned.push(what));
  world.probe(1, "pass");
  for (let n = 0; n < 5; n += 1) world.probe(1, "connect cause=EMFILE");
  assert.equal(world.region("us-east").health, "up");
  assert.equal(warned[0], "probe not made");
  for (let n = 0; n < 3; n += 1) world.probe(1, "connect cause=ECONNREFUSED");
  assert.equal(world.region("us-east").health, "down");
});

test("an endpoint that flaps has to pass ever more probes to come back", () => {
  const world = new World();
  world.probe(1, "pass");
  const passesNeeded = [1, 2, 3, 4, 5].map(() => {
    world.probes([1, 1, 1], "connect");
    let passes = 0;
    for (; world.region("us-east").health === "down"; passes += 1) world.probe(1, "pass");
    return passes;
  });
  assert.deepEqual(passesNeeded, [2, 4, 8, 16, 16]);
});

test("flapping is forgotten after a quiet minute", () => {
  const world = new World();
  world.probe(1, "pass");
  world.probes([1, 1, 1, 1], "connect");
  world.probes([1, 1], "pass");
  world.pass(60_000);
  world.probes([1, 1, 1], "connect");
  world.probes([1, 1], "pass");
  assert.equal(world.region("us-east").health, "up");
});

test("five failed requests in a row eject an endpoint until it has passed its probes", () => {
  const world = new World();
  world.probe(1, "pass");
  fail(world, 1, 4);
  assert.equal(world.region("us-east").health, "up");
  fail(world, 1, 1, "reset");
  assert.equal(world.region("us-east").health, "down");
  assert.deepEqual(world.said.slice(1), ["ejected http://127.0.0.1:1 reset", "us-east up->down"]);
  world.probes([1, 1], "pass");
  assert.equal(world.region("us-east").health, "up");
});

test("an answered request ends a row of failures", () => {
  const world = new World();
  world.probe(1, "pass");
  fail(world, 1, 4);
  world.table.succeeded(world.endpoint(1));
  fail(world, 1, 4);
  assert.equal(world.region("us-east").health, "up");
});

test("failures that are more than ten seconds apart are not a row", () => {
  const world = new World();
  world.probe(1, "pass");
  for (let n = 0; n < 20; n += 1) {
    fail(world, 1, 1);
    world.pass(2_600);
  }
  assert.equal(world.region("us-east").health, "up");
});

for (const fault of ["client_gone", "request_timeout", "body_too_large", "internal", "no_region"] as const) {
  test(`${fault} is not the endpoint's failure`, () => {
    const world = new World();
    world.probe(1, "pass");
    fail(world, 1, 20, fault);
    assert.equal(world.region("us-east").health, "up");
  });
}

for (const fault of ["connect_failed", "reset", "response_timeout", "bad_response"] as const) {
  test(`${fault} is the endpoint's failure`, () => {
    const world = new World();
    world.probe(1, "pass");
    fail(world, 1, 5, fault);
    assert.equal(world.region("us-east").health, "down");
  });
}

test("a failure that does not count asks for a probe and is none of the five in a row", () => {
  const world = new World();
  const asked: string[] = [];
  world.table.onSuspect((endpoint) => asked.push(endpoint.origin));
  world.probe(1, "pass");
  fail(world, 1, 4);
  for (let n = 0; n < 20; n += 1) world.table.failed(world.endpoint(1), "reset", { counts: false });
  assert.equal(world.region("us-east").health, "up");
  assert.equal(asked.length, 24);
  fail(world, 1, 1);
  assert.equal(world.region("us-east").health, "down");
});

test("a second attempt in a region goes to no endpoint that is out of service", () => {
  const world = new World();
  world.probe(2, "pass");
  world.probe(3, "connect");
  const first = world.table.pick("eu-west", new Set(), () => 0);
  assert.equal(first, world.endpoint(2));
  assert.equal(
    world.table.pick("eu-west", new Set([world.endpoint(2)]), () => 0),
    null,
  );
});

test("every failed request asks for a probe of its endpoint", () => {
  const world = new World();
  const asked: string[] = [];
  world.table.onSuspect((endpoint) => asked.push(endpoint.origin));
  fail(world, 2, 2);
  assert.deepEqual(asked, ["http://127.0.0.1:2", "http://127.0.0.1:2"]);
});

test("requests that fail while this process slept eject nobody", () => {
  const world = new World();
  world.probe(1, "pass");
  world.pass(1_000);
  world.clock.advance(2_000);
  fail(world, 1, 5);
  world.table.beat();
  fail(world, 1, 5);
  assert.equal(world.region("us-east").health, "up");
  world.pass(1_000);
  fail(world, 1, 5);
  assert.equal(world.region("us-east").health, "down");
});

test("before the first beat the nearest region so far is in front", () => {
  const world = new World();
  world.probe(1, "pass 80ms");
  world.probes([2, 3], "pass 20ms");
  assert.deepEqual(
    world.table.view.nearest.map(({ id }) => id),
    ["eu-west", "us-east"],
  );
});

test("after it a region passes another only after the dwell", () => {
  const world = new World();
  world.probe(1, "pass 20ms");
  world.probes([2, 3], "pass 80ms");
  world.pass(60_000);
  world.probes([2, 3], "pass 1ms");
  world.pass(9_750);
  assert.equal(world.table.view.nearest[0]?.id, "us-east");
  // The dwell begins with the beat that notices.
  world.pass(2 * BEAT_MS);
  assert.equal(world.table.view.nearest[0]?.id, "eu-west");
});

test("a region is as near as its nearest endpoint in service", () => {
  const world = new World();
  world.probe(2, "pass 20ms");
  world.probe(3, "pass 60ms");
  assert.equal(world.region("eu-west").latencyMs, 20);
  world.probes([2, 2, 2], "connect");
  assert.equal(world.region("eu-west").latencyMs, 60);
});

test("a region that is down keeps its last distance, so its rank does not suffer from an outage", () => {
  const world = new World();
  world.probe(1, "pass 20ms");
  world.probes([1, 1, 1], "connect");
  assert.equal(world.region("us-east").health, "down");
  assert.equal(world.region("us-east").latencyMs, 20);
});

test("a region lags as much as its worst endpoint in service, rounded up", () => {
  const world = new World();
  world.probe(2, "pass lag=120");
  world.probe(3, "pass lag=4001");
  assert.equal(world.region("eu-west").lagMs, 4_010);
  world.probes([3, 3, 3], "connect");
  assert.equal(world.region("eu-west").lagMs, 120);
});

test("a region's lag is unknown while one of its endpoints does not report it", () => {
  const world = new World();
  world.probe(2, "pass lag=120");
  world.probe(3, "pass");
  assert.equal(world.region("eu-west").lagMs, null);
});

test("while probes fail a lag is taken to grow with time", () => {
  const world = new World();
  world.probe(1, "pass lag=100");
  world.clock.advance(2_000);
  world.probe(1, "timeout");
  assert.equal(world.region("us-east").lagMs, 2_100);
});

test("a lag that is reported no more is taken to grow with time", () => {
  const world = new World();
  world.probes([2, 3], "pass lag=9000");
  world.clock.advance(2_000);
  world.probes([2, 3], "pass");
  assert.equal(world.region("eu-west").lagMs, 11_000);
  world.probe(2, "timeout");
  world.clock.advance(1_000);
  world.probes([2, 3], "degraded");
  assert.equal(world.region("eu-west").lagMs, 12_000);
  world.table.configure(configOf({ regions: TWO_REGIONS, health: { maxLag: "4s" } }));
  assert.equal(world.region("eu-west").lagMs, 12_000);
  world.probes([2, 3], "pass lag=20");
  assert.equal(world.region("eu-west").lagMs, 20);
});

test("a replica whose lag has disappeared is gated although no other reports one", () => {
  const config = configOf({ regions: TWO_REGIONS });
  const world = new World({ regions: TWO_REGIONS });
  world.probe(1, "pass");
  world.probes([2, 3], "pass lag=9000");
  world.probes([2, 3], "pass");
  assert.equal(lags(world.region("eu-west"), world.table.view, rulesOf(config)), true);
});

test("a replica that never reported a lag stays gated when the only one that does goes down", () => {
  const regions = { ...TWO_REGIONS, "ap-south": { role: "replica", endpoints: ["http://127.0.0.1:4"] } };
  const world = new World({ regions });
  const gated = () => lags(world.region("ap-south"), world.table.view, rulesOf(configOf({ regions })));
  world.probes([1, 4], "pass");
  assert.equal(gated(), false);
  world.probes([2, 3], "pass lag=20");
  assert.equal(gated(), true);
  world.probes([2, 3, 2, 3, 2, 3], "connect");
  assert.equal(world.region("eu-west").health, "down");
  assert.equal(gated(), true);
});

test("a region that comes back warms up, one that starts does not have to", () => {
  const world = new World();
  world.probe(1, "pass");
  assert.equal(world.region("us-east").warmth, 1);
  world.probes([1, 1, 1], "connect");
  world.probes([1, 1], "pass");
  assert.equal(world.region("us-east").warmth, 0.1);
  world.pass(15_000);
  assert.equal(world.region("us-east").warmth, 0.55);
  world.pass(15_000);
  assert.equal(world.region("us-east").warmth, 1);
});

test("a view stays the same object while nothing changes that a decision could see", () => {
  const world = new World();
  world.probes([1, 2, 3], "pass 20ms lag=5");
  const { view } = world.table;
  for (let n = 0; n < 100; n += 1) {
    world.probes([1, 2, 3], `pass ${20 + (n % 7) / 10}ms lag=${n % 9}.5`);
    world.pass(2_000);
  }
  assert.notEqual(world.table.status()[0]?.latencyMs, 20, "the exact latency moves");
  world.table.started(world.endpoint(1));
  assert.equal(world.table.view, view);
});

test("a view that was taken does not change, and unchanged regions are the same objects in the next", () => {
  const world = new World();
  world.probes([1, 2, 3], "pass");
  const before = world.table.view;
  const text = JSON.stringify(before);
  world.probes([1, 1, 1], "connect");
  assert.notEqual(world.table.view, before);
  assert.equal(JSON.stringify(before), text);
  assert.equal(world.region("eu-west"), before.byId.get("eu-west"));
});

test("every published view is announced once, in force when it is announced", () => {
  const world = new World();
  const announced: unknown[] = [];
  world.events.on("viewChanged", ({ view }) => {
    assert.equal(view, world.table.view);
    announced.push(view);
  });
  world.probes([1, 2, 3], "pass 20ms");
  world.probes([1, 2, 3], "pass 20ms");
  assert.equal(new Set(announced).size, announced.length);
  assert.equal(announced.length, 2);
});

test("the write region is the configured writer, and nobody under multi-writer", () => {
  assert.equal(new World().table.view.writeRegion, "us-east");
  const many = new World({ regions: TWO_REGIONS, routing: { topology: "multi-writer" } });
  assert.equal(many.table.view.writeRegion, null);
});

test("a drain for a window is over with the window, whether or not anybody can say so", () => {
  const world = new World();
  const window = { endWallMs: world.clock.wall() + 1_000 };
  world.table.setAdmissions(new Map([["eu-west", { ...operator("draining"), window }]]));
  world.pass(750);
  assert.equal(world.region("eu-west").admission, "draining");
  world.pass(250);
  assert.equal(world.region("eu-west").admission, "open");
  world.table.setAdmissions(new Map([["eu-west", operator("closed")]]));
  assert.equal(world.region("eu-west").admission, "closed");
});

test("an operator's drain is in force until its deadline, then the region is closed", () => {
  const world = new World();
  world.table.setAdmissions(new Map([["eu-west", operator("draining", world.clock.wall() + 1_000)]]));
  assert.equal(world.region("eu-west").admission, "draining");
  world.pass(750);
  assert.equal(world.region("eu-west").admission, "draining");
  world.pass(250);
  assert.equal(world.region("eu-west").admission, "closed");
  world.table.setAdmissions(new Map([["eu-west", operator("open")]]));
  assert.deepEqual(world.said, [
    "eu-west open->draining by ops",
    "eu-west draining->closed by ops",
    "eu-west closed->open by ops",
  ]);
});

test("a drill that drains a region closes it over the operator's word, which is in force again when it ends", () => {
  const world = new World();
  const drill = { region: "eu-west", kind: "drain", reason: "weekly" } as const;
  world.table.setDrill(drill);
  world.table.setAdmissions(new Map([["eu-west", operator("draining")]]));
  assert.equal(world.region("eu-west").admission, "closed");
  assert.equal(world.region("us-east").admission, "open");
  world.table.setDrill(null);
  assert.equal(world.region("eu-west").admission, "draining");
  world.table.setAdmissions(new Map([["eu-west", operator("open")]]));
  world.table.setDrill({ ...drill, kind: "black-hole" });
  assert.equal(world.region("eu-west").admission, "open");
  assert.ok(world.table.blackHole.hides("eu-west", 0));
  world.table.setDrill(null);
  assert.equal(world.table.blackHole.hides("eu-west", 0), null);
  assert.deepEqual(world.said, [
    "eu-west open->closed by drill",
    "eu-west closed->draining by ops",
    "eu-west draining->open by ops",
  ]);
});

test("a region drains when every endpoint in service asks for it, and only then", () => {
  const world = new World();
  world.probes([2, 3], "pass");
  world.probe(2, "drain");
  assert.equal(world.region("eu-west").admission, "open");
  world.probe(3, "drain");
  assert.equal(world.region("eu-west").admission, "draining");
  assert.equal(world.region("eu-west").health, "up");
  world.probe(2, "pass");
  assert.equal(world.region("eu-west").admission, "open");
});

test("a region that asks to be drained stays closed when an operator has closed it", () => {
  const world = new World();
  world.table.setAdmissions(new Map([["us-east", operator("closed")]]));
  world.probe(1, "drain");
  assert.equal(world.region("us-east").admission, "closed");
});

test("new requests avoid an endpoint that asks to be drained", () => {
  const world = new World();
  world.probe(2, "pass");
  world.probe(3, "drain");
  const picked = [0, 0.3, 0.6, 0.9].map((chance) => world.table.pick("eu-west", new Set(), () => chance));
  assert.deepEqual(new Set(picked), new Set([world.endpoint(2)]));
});

test("requests in flight are counted per endpoint and summed per region", () => {
  const world = new World();
  for (const port of [2, 2, 3]) world.table.started(world.endpoint(port));
  world.table.finished(world.endpoint(2));
  const [, europe] = world.table.status();
  assert.equal(europe?.requestsInFlight, 2);
  assert.deepEqual(
    europe?.endpoints.map(({ requestsInFlight }) => requestsInFlight),
    [1, 1],
  );
});

test("the status of an endpoint tells of its last probe", () => {
  const world = new World();
  world.probe(1, "pass 12.3456ms lag=7");
  const [east] = world.table.status();
  assert.deepEqual(east?.endpoints[0], {
    url: "http://127.0.0.1:1",
    health: "up",
    draining: false,
    latencyMs: 12.35,
    lagMs: 7,
    requestsInFlight: 0,
    failuresInARow: 0,
    writer: null,
    epoch: null,
    applied: null,
    lastProbe: { result: "pass", cause: null, at: new Date(world.clock.wall()).toISOString() },
  });
});

test("a reload that changes nothing changes nothing", () => {
  const world = new World();
  world.probes([1, 2, 3], "pass 20ms");
  const { view, endpoints } = world.table;
  const pools = endpoints.map(({ dispatcher }) => dispatcher);
  world.table.configure(configOf({ regions: TWO_REGIONS }));
  assert.equal(world.table.view, view);
  assert.deepEqual(
    world.table.endpoints.map(({ dispatcher }) => dispatcher),
    pools,
  );
});

test("a reload keeps the endpoints it names, adds new ones unknown, and forgets the others", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const world = new World();
  world.probes([1, 2, 3], "pass 20ms");
  const [kept, removed] = [world.endpoint(2), world.endpoint(3).dispatcher];
  const regions = {
    "ap-south": { role: "standby", endpoints: ["http://127.0.0.1:4"] },
    "us-east": { role: "writer", endpoints: ["http://127.0.0.1:1/"], weight: 7 },
    "eu-west": { role: "replica", endpoints: ["http://127.0.0.1:2", "http://127.0.0.1:5"] },
  };
  world.table.configure(configOf({ regions }));
  assert.deepEqual(
    world.table.view.regions.map(({ id, health }) => `${id} ${health}`),
    ["ap-south unknown", "us-east up", "eu-west up"],
  );
  assert.equal(world.region("us-east").weight, 7);
  assert.equal(world.endpoint(2), kept);
  assert.equal(world.endpoint(5).health, "unknown");
  assert.throws(() => world.endpoint(3));
  assert.equal(removed.closed, false, "somebody may have picked it and not have sent yet");
  context.mock.timers.tick(1_000);
  assert.equal(removed.closed, true);
  assert.deepEqual(world.said, ["us-east unknown->up", "eu-west unknown->up"]);
});

test("new thresholds count from the next probe", () => {
  const world = new World();
  world.probe(1, "pass");
  world.table.configure(configOf({ regions: TWO_REGIONS, health: { fall: 1 } }));
  world.probe(1, "connect");
  assert.equal(world.region("us-east").health, "down");
});

test("changed time-outs give an endpoint a new pool and keep its health", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const world = new World();
  world.probe(1, "pass");
  const before = world.endpoint(1).dispatcher;
  world.table.configure(configOf({ regions: TWO_REGIONS, proxy: { connectTimeout: "1s" } }));
  assert.notEqual(world.endpoint(1).dispatcher, before);
  context.mock.timers.tick(1_000);
  assert.equal(before.closed, true);
  assert.equal(world.endpoint(1).dispatcher.closed, false);
  assert.equal(world.region("us-east").health, "up");
});
