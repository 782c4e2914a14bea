import assert from "node:assert/strict";
import { test } from "node:test";
import { warmth } from "../../src/routing/slow-start.ts";

const rows: readonly [
  sentence: string,
  sinceMs: number | null,
  nowMs: number,
  slowStartMs: number,
  share: number,
][] = [
  ["that never went down takes all of its traffic", null, 0, 30_000, 1],
  ["takes a tenth when it comes back", 1_000, 1_000, 30_000, 0.1],
  ["takes about half after half the time", 1_000, 16_000, 30_000, 0.55],
  ["takes less than all just before the end", 1_000, 30_999, 30_000, 0.95],
  ["takes all at the end", 1_000, 31_000, 30_000, 1],
  ["takes all at once when slow start is off", 1_000, 1_000, 0, 1],
  ["takes a tenth when the clock stands before its return", 1_000, 0, 30_000, 0.1],
];

for (const [sentence, sinceMs, nowMs, slowStartMs, share] of rows) {
  test(`a region ${sentence}`, () => assert.equal(warmth(sinceMs, nowMs, slowStartMs), share));
}

test("warmth never falls and moves in at most twenty steps", () => {
  const shares = Array.from({ length: 3_001 }, (_, n) => warmth(0, n * 10, 30_000));
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => a - b),
  );
  assert.ok(new Set(shares).size <= 20);
});
