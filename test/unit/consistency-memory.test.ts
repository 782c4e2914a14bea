import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { MemoryPinStore } from "../../src/consistency/memory.ts";

let nowMs = 0;
const clock = { now: () => nowMs, wall: () => nowMs };

beforeEach(() => {
  nowMs = 1_000;
});

describe("pins in memory", () => {
  it("hold when the call returns, before its promise resolves", () => {
    const store = new MemoryPinStore(clock);
    void store.begin(["u"], "a.1", 40_000);
    assert.equal(store.remainingNow(["u"]), 40_000);
  });

  it("end at their deadline, not after it", () => {
    const store = new MemoryPinStore(clock);
    void store.begin(["u"], "a.1", 100);
    nowMs += 99;
    assert.equal(store.remainingNow(["u"]), 1);
    nowMs += 1;
    assert.equal(store.remainingNow(["u"]), 0);
  });

  it("are counted only while they last", () => {
    const store = new MemoryPinStore(clock);
    void store.begin(["u", "v"], "a.1", 100);
    void store.begin(["w"], "a.2", 200);
    assert.equal(store.count(), 3);
    nowMs += 150;
    assert.equal(store.count(), 1);
  });

  it("are swept by the traffic itself: a stream of users leaves no heap behind", async () => {
    const store = new MemoryPinStore(clock);
    let most = 0;
    for (let i = 0; i < 50_000; i += 1) {
      nowMs += 1;
      await store.begin([`u${i}`], `a.${i}`, 1_000);
      most = Math.max(most, store.size);
    }
    assert.ok(most <= 3_000, `${most} users held, of which 1,000 were pinned`);
  });

  it("stay bounded when one user storms, and no read of that user goes free", async () => {
    const store = new MemoryPinStore(clock);
    for (let i = 0; i < 10_000; i += 1) {
      await store.begin(["u"], `a.${i}`, 40_000);
      await store.end(["u"], `a.${i}`, 10_000);
    }
    assert.ok(((await store.inspect("u"))?.writes ?? 0) <= 65);
    nowMs += 9_999;
    assert.equal(store.remainingNow(["u"]), 1);
    nowMs += 1;
    assert.equal(store.remainingNow(["u"]), 0);
  });

  it("keep a storming user pinned until what was folded away is over", async () => {
    const store = new MemoryPinStore(clock);
    for (let i = 0; i < 200; i += 1) await store.begin(["u"], `a.${i}`, 40_000 + i);
    for (let i = 0; i < 200; i += 1) await store.end(["u"], `a.${i}`, 0);
    assert.ok(store.remainingNow(["u"]) >= 40_000);
  });

  it("tell once of a user who never pauses, and again after a pause", async () => {
    const store = new MemoryPinStore(clock);
    const write = async (id: number) => {
      await store.begin(["u"], `a.${id}`, 1_000);
      nowMs += 900;
    };
    for (let i = 0; i < 10; i += 1) await write(i);
    assert.equal(store.newStorm("u", 10_000), null);
    for (let i = 10; i < 20; i += 1) await write(i);
    assert.equal(store.countStorms(10_000), 1);
    assert.deepEqual(store.newStorm("u", 10_000), { pinnedForMs: 18_000, writes: 20 });
    assert.equal(store.newStorm("u", 10_000), null);
    nowMs += 5_000;
    assert.equal(store.countStorms(10_000), 0);
    for (let i = 20; i < 40; i += 1) await write(i);
    assert.deepEqual(store.newStorm("u", 10_000), { pinnedForMs: 18_000, writes: 20 });
  });
});
