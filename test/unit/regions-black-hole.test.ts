import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BlackHole } from "../../src/regions/black-hole.ts";

describe("a black hole", () => {
  it("hides its region, and no other", async () => {
    const hole = new BlackHole();
    assert.equal(hole.hides("eu", 10), null);
    hole.open("eu");
    assert.equal(hole.hides("us", 10), null);
    assert.equal(await hole.hides("eu", 10), true);
    hole.open("us");
    assert.equal(hole.hides("eu", 10), null);
    hole.close();
    assert.equal(hole.hides("us", 10), null);
  });

  it("lets whoever waits go on as soon as it is closed", async () => {
    const hole = new BlackHole();
    hole.open("eu");
    const waiting = [hole.hides("eu", 60_000), hole.hides("eu", 60_000)];
    hole.close();
    assert.deepEqual(await Promise.all(waiting), [false, false]);
  });

  it("does not hold who leaves, and stops listening in any case", async () => {
    const hole = new BlackHole();
    hole.open("eu");
    const listeners = new Set<() => void>();
    const leaving = (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    const left = hole.hides("eu", 60_000, leaving);
    assert.equal(listeners.size, 1);
    for (const leave of listeners) leave();
    assert.equal(await left, false);
    assert.equal(await hole.hides("eu", 5, leaving), true);
    assert.equal(listeners.size, 0);
  });
});
