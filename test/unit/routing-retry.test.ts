import assert from "node:assert/strict";
import { test } from "node:test";
import { RetryBudget } from "../../src/routing/retry.ts";

const RULES = { percent: 20, floor: 3 };

function spend(budget: RetryBudget, nowMs: number, wanted: number): number {
  let taken = 0;
  for (let i = 0; i < wanted; i += 1) if (budget.take(nowMs, RULES)) taken += 1;
  return taken;
}

test("allows the floor when there is hardly any traffic", () => {
  assert.equal(spend(new RetryBudget(), 0, 100), 30);
});

test("allows a share of the requests of the last ten seconds", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 1_000; i += 1) budget.request(i);
  assert.equal(spend(budget, 1_000, 500), 200);
});

test("a storm is cut at the share, and the budget comes back as time passes", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 1_000; i += 1) budget.request(i);
  spend(budget, 1_000, 500);
  assert.equal(spend(budget, 2_000, 1), 0);
  for (let i = 0; i < 1_000; i += 1) budget.request(12_000);
  assert.equal(spend(budget, 12_000, 500), 200);
});
