import assert from "node:assert/strict";
import { test } from "node:test";
import { RegionStore, ReplicationLink } from "../../src/demo/replication.ts";

/** A link over a clock and timers that only move when told. */
function setUp(context: { mock: typeof test.mock }, lagMs: number) {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  const store = new RegionStore();
  const link = new ReplicationLink(store, { now: () => nowMs, wall: () => nowMs }, lagMs);
  return {
    store,
    link,
    write: (position: number) => link.push({ position, key: "k", version: position, writtenAtMs: nowMs }),
    pass(ms: number) {
      nowMs += ms;
      context.mock.timers.tick(ms);
    },
  };
}

test("a write reaches a replica after the lag and not before", (context) => {
  const { store, write, pass } = setUp(context, 500);
  write(1);
  pass(499);
  assert.equal(store.version("k"), 0);
  pass(1);
  assert.equal(store.version("k"), 1);
  assert.equal(store.position, 1);
});

test("writes are applied in the order of the log, each after its own lag", (context) => {
  const { store, write, pass } = setUp(context, 500);
  write(1);
  pass(300);
  write(2);
  pass(200);
  assert.equal(store.version("k"), 1);
  pass(300);
  assert.equal(store.version("k"), 2);
});

test("a frozen link applies nothing, its lag grows, and it catches up when thawed", (context) => {
  const { store, link, write, pass } = setUp(context, 100);
  link.freeze();
  write(1);
  pass(5_000);
  assert.equal(store.version("k"), 0);
  assert.equal(link.observedLagMs, 5_000);
  link.thaw();
  pass(1);
  assert.equal(store.version("k"), 1);
});

test("the lag shown is the delay of the last write applied", (context) => {
  const { link, write, pass } = setUp(context, 250);
  assert.equal(link.observedLagMs, 0);
  write(1);
  pass(250);
  pass(9_000);
  assert.equal(link.observedLagMs, 250);
});

test("a closed link applies nothing any more", (context) => {
  const { store, link, write, pass } = setUp(context, 100);
  write(1);
  link.close();
  pass(1_000);
  assert.equal(store.version("k"), 0);
});
