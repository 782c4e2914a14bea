import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventBus } from "../../src/events.ts";
import { WriteGate } from "../../src/proxy/write-gate.ts";
import type { View } from "../../src/routing/region.ts";

const PATIENCE_MS = 60_000;

/** A gate before a write region that moves or does not. */
function gateOf() {
  const events = new EventBus();
  const table = { view: { moving: true } as View };
  const gate = new WriteGate({ events, table });
  const moving = (isMoving: boolean) => {
    table.view = { moving: isMoving } as View;
    events.emit("epochChanged", { epoch: 2, writeRegion: "eu", from: "us", moving: isMoving });
  };
  const hold = (count: number) => Array.from({ length: count }, () => gate.untilResumed(PATIENCE_MS, 10));
  return { gate, moving, hold };
}

/** For what has been resolved to be heard. */
const heard = () => new Promise((resolve) => setImmediate(resolve));

describe("the gate that writes pass", () => {
  it("counts a write from its decision until its outcome, once however often that is said", () => {
    const { gate } = gateOf();
    const [one, other] = [gate.enter(), gate.enter()];
    assert.equal(gate.underWay, 2);
    one();
    one();
    assert.equal(gate.underWay, 1);
    other();
    assert.equal(gate.underWay, 0);
  });

  it("holds writes while the write region moves, and lets them in when it has", async () => {
    const { gate, moving, hold } = gateOf();
    const held = hold(3);
    assert.deepEqual([gate.held, gate.underWay], [3, 0]);
    moving(false);
    for (const entered of await Promise.all(held)) entered?.();
    assert.deepEqual([gate.held, gate.underWay], [0, 0]);
  });

  it("lets so many in at a time that none has to wait for a connection, whatever else is under way, in the order in which they came", async () => {
    const { gate, moving, hold } = gateOf();
    const ended: number[] = [];
    const leaves: (() => void)[] = [];
    hold(200).forEach(async (held, index) => {
      const entered = await held;
      leaves.push(() => {
        ended.push(index);
        entered?.();
      });
    });
    for (let other = 0; other < 300; other += 1) gate.enter();
    moving(false);
    await heard();
    const atOnce = leaves.length;
    assert.ok(atOnce > 0 && atOnce < 128, `${atOnce} at once`);
    for (let next = 0; next < 200; next += 1) {
      leaves[next]?.();
      await heard();
      assert.ok(gate.underWay - 300 <= atOnce);
    }
    assert.deepEqual(
      ended,
      Array.from({ length: 200 }, (_, index) => index),
    );
  });

  it("holds what is left when the write region moves again before all are in", async () => {
    const { gate, moving, hold } = gateOf();
    const held = hold(100);
    let count = 0;
    held.forEach(async (one) => {
      const entered = await one;
      count += 1;
      setImmediate(() => entered?.());
    });
    moving(false);
    moving(true);
    await heard();
    await heard();
    assert.ok(count < 100 && gate.held === 100 - count, `${count} let in, ${gate.held} held`);
    moving(false);
    await Promise.all(held);
    assert.equal(gate.held, 0);
  });

  it("refuses who may not wait, who comes when too many do, and who has waited for too long", async () => {
    const { gate, moving, hold } = gateOf();
    assert.equal(await gate.untilResumed(0, 10), null);
    assert.equal(await gate.untilResumed(5, 10), null);
    const held = hold(1_000);
    assert.equal(await gate.untilResumed(PATIENCE_MS, 10), null);
    for (const one of held) void one.then((entered) => entered?.());
    moving(false);
    await Promise.all(held);
  });

  it("refuses who comes when the bodies that Node has read of those that wait take too much", async () => {
    const { gate, moving } = gateOf();
    const big = Array.from({ length: 481 }, () => gate.untilResumed(PATIENCE_MS, null));
    assert.equal(await gate.untilResumed(PATIENCE_MS, 1_000_000), null);
    const small = gate.untilResumed(PATIENCE_MS, 10);
    assert.equal(gate.held, 482);
    for (const one of [...big, small]) void one.then((entered) => entered?.());
    moving(false);
    await Promise.all([...big, small]);
    assert.equal(gate.held, 0);
  });
});
