import assert from "node:assert/strict";
import { test } from "node:test";
import { DOWN, damped, type HealthState, observe, UNOBSERVED } from "../../src/routing/health.ts";

const THRESHOLDS = { rise: 2, fall: 3 };

/** `+` is a probe that passed, `-` one that failed. */
function after(state: HealthState, probes: string): HealthState {
  return [...probes].reduce((seen, probe) => observe(seen, probe === "+", THRESHOLDS), state);
}

const UP = after(UNOBSERVED, "+");

const rows: readonly [
  sentence: string,
  from: HealthState,
  probes: string,
  health: string,
  contrary: number,
][] = [
  ["is up after the first probe that passes", UNOBSERVED, "+", "up", 0],
  ["is down after the first probe that fails", UNOBSERVED, "-", "down", 0],
  ["stays up through fewer failures than fall", UP, "--", "up", 2],
  ["goes down at the failure number fall", UP, "---", "down", 0],
  ["forgets failures at the first pass", UP, "--+--", "up", 2],
  ["stays down through fewer passes than rise", DOWN, "+", "down", 1],
  ["comes up at the pass number rise", DOWN, "++", "up", 0],
  ["forgets passes at the first failure", DOWN, "+-+", "down", 1],
  ["leaves down again however long it was there", DOWN, `${"-".repeat(1_000)}++`, "up", 0],
];

for (const [sentence, from, probes, health, contrary] of rows) {
  test(`health ${sentence}`, () => assert.deepEqual(after(from, probes), { health, contrary }));
}

for (const [falls, rise] of [
  [0, 2],
  [1, 2],
  [2, 4],
  [3, 8],
  [4, 16],
  [50, 16],
] as const) {
  test(`something that fell ${falls} times of late needs ${rise} passes to come up`, () => {
    assert.deepEqual(damped(THRESHOLDS, falls), { rise, fall: 3 });
  });
}
