import assert from "node:assert/strict";
import { test } from "node:test";
import { probeDelayMs } from "../../src/regions/watch.ts";

const rows: readonly [
  sentence: string,
  intervalMs: number,
  changing: boolean,
  chance: number,
  delayMs: number,
][] = [
  ["comes after the interval", 2_000, false, 0.5, 2_000],
  ["comes a tenth early at most", 2_000, false, 0, 1_800],
  ["comes a tenth late at most", 2_000, false, 1, 2_200],
  ["comes sooner while health is changing", 2_000, true, 0.5, 500],
  ["never comes later because health is changing", 300, true, 0.5, 300],
];

for (const [sentence, intervalMs, changing, chance, delayMs] of rows) {
  test(`the next probe ${sentence}`, () => {
    assert.ok(Math.abs(probeDelayMs(intervalMs, changing, chance) - delayMs) < 1e-9);
  });
}
