import assert from "node:assert/strict";
import { test } from "node:test";
import { blend, type LatencyEstimate } from "../../src/routing/latency.ts";

/** Feeds samples that are `everyMs` apart and returns the estimate. */
function estimate(samples: readonly number[], everyMs: number): LatencyEstimate {
  let state: LatencyEstimate | null = null;
  for (const [index, sample] of samples.entries()) state = blend(state, sample, index * everyMs);
  assert.ok(state);
  return state;
}

function times(count: number, sample: number): number[] {
  return Array.from({ length: count }, () => sample);
}

test("the first round trip is the estimate", () => {
  assert.equal(estimate([42], 0).latencyMs, 42);
});

test("a cold first round trip is forgotten with the second", () => {
  assert.equal(estimate([250, 20], 1).latencyMs, 20);
});

test("a region that becomes slower is half believed after one half-life", () => {
  const before = estimate(times(5, 100), 1_000);
  // The median of three follows one sample late, hence eleven samples for ten seconds.
  let state = before;
  for (let n = 1; n <= 11; n += 1) state = blend(state, 200, before.atMs + n * 1_000);
  assert.ok(Math.abs(state.latencyMs - 150) < 1, `${state.latencyMs}`);
});

test("how much is forgotten depends on the time that passed and not on the number of samples", () => {
  const often = estimate([...times(10, 100), ...times(41, 300)], 250);
  const seldom = estimate([...times(10, 100), ...times(11, 300)], 1_000);
  assert.ok(Math.abs(often.latencyMs - seldom.latencyMs) < 2, `${often.latencyMs} ${seldom.latencyMs}`);
});

test("one outlier does not move an estimate", () => {
  assert.equal(estimate([20, 20, 20, 900, 20, 20], 2_000).latencyMs, 20);
});

test("an estimate three half-lives old is replaced", () => {
  const old = estimate(times(5, 100), 1_000);
  assert.equal(blend(old, 7, old.atMs + 30_001).latencyMs, 7);
});

test("a clock that stands still changes nothing", () => {
  const before = estimate(times(5, 100), 1_000);
  assert.equal(blend(before, 500, before.atMs).latencyMs, 100);
  assert.equal(blend(before, 500, before.atMs - 5_000).latencyMs, 100);
});
