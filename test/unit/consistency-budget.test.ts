import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { WriterBudget } from "../../src/consistency/budget.ts";

let nowMs = 0;
const clock = { now: () => nowMs, wall: () => nowMs };

function spendAll(budget: WriterBudget): number {
  let spent = 0;
  while (spent < 100_000 && budget.spend()) spent += 1;
  return spent;
}

/** Seconds with this many requests for the writer in each. */
function load(budget: WriterBudget, perSecond: number, seconds: number): void {
  for (let i = 0; i < perSecond * seconds; i += 1) {
    nowMs += 1_000 / perSecond;
    budget.note();
  }
}

beforeEach(() => {
  nowMs = 0;
});

describe("the readers that the writer can bear when nobody knows who is pinned", () => {
  it("are fifty a second when nothing is known of its load", () => {
    const budget = new WriterBudget(clock);
    assert.equal(spendAll(budget), 50);
    assert.equal(budget.spend(), false);
    nowMs += 500;
    assert.equal(spendAll(budget), 25);
  });

  it("are no more after a long rest than after a second", () => {
    const budget = new WriterBudget(clock);
    nowMs += 3_600_000;
    assert.equal(spendAll(budget), 50);
  });

  it("are not spent by asking whether any are left", () => {
    const budget = new WriterBudget(clock);
    for (let i = 0; i < 200; i += 1) assert.equal(budget.isLeft, true);
    assert.equal(spendAll(budget), 50);
    assert.equal(budget.isLeft, false);
    nowMs += 20;
    assert.equal(budget.isLeft, true);
    assert.equal(spendAll(budget), 1);
  });

  it("come to twice its normal load", () => {
    const budget = new WriterBudget(clock);
    load(budget, 100, 600);
    assert.ok(Math.abs(budget.perSecond - 200) < 5, `${budget.perSecond}`);
  });

  it("follow its load within minutes, in both directions", () => {
    const budget = new WriterBudget(clock);
    load(budget, 200, 120);
    const high = budget.perSecond;
    assert.ok(high > 250, `${high}`);
    load(budget, 50, 180);
    assert.ok(budget.perSecond < high / 2, `${budget.perSecond}`);
  });
});
