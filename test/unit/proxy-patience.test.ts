import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Patience, type PatienceRules } from "../../src/proxy/patience.ts";

const RULES: PatienceRules = { idleMs: 60_000, graceMs: 5_000, bytesPerSecond: 100 };

/** Plays a client that sends so many bytes each time after a wait; when patience with it was lost, in seconds. */
function lostAfter(
  rules: PatienceRules,
  chunks: readonly (readonly [waitMs: number, bytes: number])[],
): number | null {
  mock.timers.enable({ apis: ["setTimeout"] });
  const time = { nowMs: 0, lostMs: null as number | null };
  const patience = new Patience(
    rules,
    () => time.nowMs,
    () => {
      time.lostMs ??= time.nowMs;
    },
  );
  for (const [waitMs, bytes] of chunks) {
    patience.begin();
    for (let waited = 0; waited < waitMs; waited += 250) {
      time.nowMs += 250;
      mock.timers.tick(250);
    }
    patience.end(bytes);
  }
  patience.stop();
  mock.timers.tick(1_000_000);
  mock.timers.reset();
  return time.lostMs === null ? null : time.lostMs / 1_000;
}

const times = (count: number, chunk: readonly [number, number]) => Array.from({ length: count }, () => chunk);

test("a client that sends nothing is waited for as long as the grace", () => {
  assert.equal(lostAfter(RULES, [[30_000, 0]]), 5);
});

test("a client that drips a byte now and then is not waited for much longer", () => {
  assert.equal(lostAfter(RULES, times(100, [1_000, 1])), 5.25);
});

test("a client that is as fast as it has to be is waited for without end", () => {
  assert.equal(lostAfter(RULES, times(600, [1_000, 100])), null);
});

test("a client that has sent much may pause, but not for longer than any", () => {
  assert.equal(
    lostAfter(RULES, [
      [250, 5_000],
      [40_000, 100],
    ]),
    null,
  );
  assert.equal(
    lostAfter(RULES, [
      [250, 1_000_000],
      [90_000, 0],
    ]),
    60.25,
  );
});

test("without a rate only silence counts", () => {
  assert.equal(lostAfter({ ...RULES, bytesPerSecond: 0 }, times(100, [50_000, 1])), null);
  assert.equal(lostAfter({ ...RULES, bytesPerSecond: 0 }, [[70_000, 1]]), 60);
});

test("once the region answers only silence counts, also for what is being waited for", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const lost: number[] = [];
  const patience = new Patience(
    RULES,
    () => 0,
    () => lost.push(1),
  );
  patience.begin();
  patience.relax();
  t.mock.timers.tick(59_000);
  assert.deepEqual(lost, []);
  patience.end(1);
  patience.relax();
  t.mock.timers.tick(60_000);
  assert.deepEqual(lost, [], "nobody is waited for");
  patience.begin();
  t.mock.timers.tick(60_000);
  assert.deepEqual(lost, [1]);
});
