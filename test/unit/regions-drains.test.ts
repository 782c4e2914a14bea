import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Drains } from "../../src/regions/drains.ts";
import type { OperatorAdmission } from "../../src/regions/summary.ts";
import type { Admission } from "../../src/routing/region.ts";
import { viewOf } from "./routing-world.ts";

const STARTED_WALL_MS = 1_700_000_000_000;

/** eu, with so many tunnels, watched every ten seconds. */
function watched(t: TestContext) {
  let nowMs = 0;
  const world = {
    tunnels: 0,
    admission: "open" as Admission,
    said: undefined as OperatorAdmission | undefined,
  };
  const drains = new Drains({
    clock: { now: () => nowMs, wall: () => STARTED_WALL_MS + nowMs },
    view: () => viewOf({ eu: { admission: world.admission } }),
    said: () => world.said,
    there: () => ({ sessions: 0, pins: 0, tunnels: world.tunnels, streams: 0 }),
  });
  t.after(() => drains.close());
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      nowMs += 10_000;
      drains.look();
    }
  };
  const endsInMs = () => {
    const end = drains.status("eu")?.estimatedEndWallMs ?? null;
    return end === null ? null : Math.round(end - STARTED_WALL_MS - nowMs);
  };
  return { world, drains, pass, endsInMs };
}

const drain = (deadlineWallMs: number | null): OperatorAdmission => ({
  state: "draining",
  reason: "a test",
  by: "test",
  deadlineWallMs,
});

test("a region that is open or closed does not drain", (t) => {
  const { world, drains } = watched(t);
  assert.equal(drains.status("eu"), null);
  world.admission = "closed";
  assert.equal(drains.status("eu"), null);
  assert.equal(drains.status("mars"), null);
});

test("a drain ends at its deadline until it is seen how fast they leave, and then earlier", (t) => {
  const { world, drains, pass, endsInMs } = watched(t);
  Object.assign(world, { tunnels: 64, admission: "draining", said: drain(STARTED_WALL_MS + 600_000) });
  assert.deepEqual(drains.status("eu"), {
    sinceWallMs: STARTED_WALL_MS,
    deadlineWallMs: STARTED_WALL_MS + 600_000,
    estimatedEndWallMs: STARTED_WALL_MS + 600_000,
  });
  drains.look();
  pass(10_000);
  world.tunnels = 32;
  // They halved in ten seconds, and have six more halves before them.
  assert.equal(endsInMs(), 60_000);
  world.tunnels = 0;
  assert.equal(endsInMs(), 0);
});

test("what happened more than a minute ago does not count", (t) => {
  const { world, drains, pass, endsInMs } = watched(t);
  Object.assign(world, { tunnels: 64, admission: "draining", said: drain(STARTED_WALL_MS + 600_000) });
  drains.look();
  world.tunnels = 8;
  pass(120_000);
  assert.equal(endsInMs(), 480_000);
});

test("a region that drains by its own wish has no deadline, whatever an operator once said", (t) => {
  const { world, drains } = watched(t);
  const said: OperatorAdmission = { ...drain(STARTED_WALL_MS + 1_000), state: "open" };
  Object.assign(world, { tunnels: 8, admission: "draining", said });
  assert.deepEqual(drains.status("eu"), {
    sinceWallMs: STARTED_WALL_MS,
    deadlineWallMs: null,
    estimatedEndWallMs: null,
  });
});

test("a second drain begins anew", (t) => {
  const { world, drains, pass } = watched(t);
  world.admission = "draining";
  drains.look();
  world.admission = "open";
  pass(10_000);
  world.admission = "draining";
  assert.equal(drains.status("eu")?.sinceWallMs, STARTED_WALL_MS + 10_000);
});

test("a drain that is only thought of ends at its deadline, or at once when nobody is there", (t) => {
  const { world, drains } = watched(t);
  assert.equal(drains.forecast("eu", STARTED_WALL_MS + 600_000), STARTED_WALL_MS);
  world.tunnels = 1;
  assert.equal(drains.forecast("eu", STARTED_WALL_MS + 600_000), STARTED_WALL_MS + 600_000);
});
