import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import type { ProbeOutcome } from "../../src/regions/probe.ts";
import { probeDelayMs, Watch } from "../../src/regions/watch.ts";
import { eventually } from "../support/eventually.ts";
import { World } from "./regions-world.ts";

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

test("probes go on when whoever is told of them throws", async (context) => {
  const seen: ProbeOutcome[] = [];
  const failed: unknown[] = [];
  const watch = new Watch(new World().endpoint(1), {
    hides: () => null,
    clock: systemClock,
    chance: () => 0.5,
    settings: () => ({ path: "/", timeoutMs: 200, expects: () => true, headers: {} }),
    intervalMs: () => 20,
    probed: (outcome) => {
      seen.push(outcome);
      throw new Error("a bug of ours");
    },
    failed: (error) => failed.push(error),
  });
  context.after(() => watch.stop());
  await watch.firstProbes();
  watch.start();
  await eventually(() => seen.length >= 4);
  assert.deepEqual([...new Set(failed.map(String))], ["Error: a bug of ours"]);
  await eventually(() => failed.length >= 4);
});

test("a probe of a region that is out of reach is a time-out, and nothing is sent", async (context) => {
  const seen: ProbeOutcome[] = [];
  const waited: number[] = [];
  let isHidden = true;
  const watch = new Watch(new World().endpoint(1), {
    hides: (forMs) => {
      waited.push(forMs);
      return isHidden ? Promise.resolve(true) : null;
    },
    clock: systemClock,
    chance: () => 0.5,
    settings: () => ({ path: "/", timeoutMs: 200, expects: () => true, headers: {} }),
    intervalMs: () => 20,
    probed: (outcome) => seen.push(outcome),
    failed: (error) => assert.fail(String(error)),
  });
  context.after(() => watch.stop());
  await watch.firstProbes();
  assert.deepEqual([seen[0]?.result, seen[0]?.cause, waited], ["timeout", "no answer within 200 ms", [200]]);
  isHidden = false;
  watch.start();
  await eventually(() => seen.at(-1)?.result === "connect");
});
