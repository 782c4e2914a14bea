import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { LongLived } from "../../src/proxy/long-lived.ts";

/** Connections whose ends are spread evenly, and a region that is closed or not. */
function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const world = { nowMs: 0, isClosed: false, lots: [0] as readonly number[] };
  let drawn = 0;
  const connections = new LongLived({
    clock: { now: () => world.nowMs, wall: () => 0 },
    chance: () => world.lots[drawn++ % world.lots.length] ?? 0,
    isClosed: () => world.isClosed,
  });
  const closed: string[] = [];
  const add = (name: string, region = "eu") => connections.add({ region, close: () => closed.push(name) });
  const pass = (ms: number) => {
    world.nowMs += ms;
    t.mock.timers.tick(ms);
  };
  return { world, connections, closed, add, pass };
}

describe("connections without an end of their own", () => {
  it("are counted by region while they are open", (t) => {
    const { connections, add } = setUp(t);
    const over = add("one");
    add("other");
    add("third", "us");
    assert.deepEqual(
      [...connections.counts()],
      [
        ["eu", 2],
        ["us", 1],
      ],
    );
    over();
    over();
    assert.deepEqual(
      [...connections.counts()],
      [
        ["eu", 1],
        ["us", 1],
      ],
    );
  });

  it("are closed within five seconds when their region is, and no others", (t) => {
    const { world, connections, closed, add, pass } = setUp(t);
    Object.assign(world, { isClosed: true, lots: [0, 0.5, 0.99] });
    for (const name of ["a", "b", "c"]) add(name, "us");
    world.isClosed = false;
    for (const name of ["d", "e", "f"]) add(name);
    world.isClosed = true;
    connections.closeRegion("eu");
    pass(0);
    assert.deepEqual(closed, ["a", "d"]);
    pass(2_500);
    assert.deepEqual(closed, ["a", "d", "b", "e"]);
    pass(2_500);
    assert.deepEqual(closed, ["a", "d", "b", "e", "c", "f"]);
  });

  it("take longer when they are many: two hundred go in a second", (t) => {
    const { world, connections, closed, add, pass } = setUp(t);
    world.lots = Array.from({ length: 2_000 }, (_, index) => index / 2_000);
    for (let i = 0; i < 2_000; i += 1) add(String(i));
    world.isClosed = true;
    connections.closeRegion("eu");
    pass(1_000);
    assert.ok(Math.abs(closed.length - 200) <= 1, String(closed.length));
    pass(9_000);
    assert.equal(closed.length, 2_000);
  });

  it("stay when they have ended meanwhile, or their region is open again", (t) => {
    const { world, connections, closed, add, pass } = setUp(t);
    world.lots = [0.5];
    const over = add("gone");
    add("back");
    world.isClosed = true;
    connections.closeRegion("eu");
    over();
    world.isClosed = false;
    pass(5_000);
    assert.deepEqual(closed, []);
  });

  it("are all closed in the time there is when the edge stops, those that begin meanwhile too", (t) => {
    const { world, connections, closed, add, pass } = setUp(t);
    world.lots = [0.5];
    add("early");
    connections.closeAll(1_000);
    pass(600);
    assert.deepEqual(closed, ["early"]);
    add("late");
    pass(200);
    assert.deepEqual(closed, ["early", "late"]);
    pass(1_000);
    add("too late");
    pass(0);
    assert.deepEqual(closed, ["early", "late", "too late"]);
  });
});
