import assert from "node:assert/strict";
import { test } from "node:test";
import { type Measured, type RankState, rank, rerank } from "../../src/routing/rank.ts";

const RULES = { windowMs: 10, percent: 15, dwellMs: 10_000 };

type Latencies = Readonly<Record<string, number | null>>;

function measured(latencies: Latencies): readonly Measured[] {
  return Object.entries(latencies).map(([id, latencyMs]) => ({ id, latencyMs }));
}

/** Ranks `first`, then measures `then` at once and every second for `seconds`. */
function order(first: Latencies, then: Latencies, seconds: number, rules = RULES): string {
  let state: RankState = rank(measured(first));
  for (let second = 0; second <= seconds; second += 1) {
    state = rerank(state, measured(then), rules, second * 1_000);
  }
  return state.order.join(" ");
}

test("the first ranking is by latency, the unmeasured last, ties in file order", () => {
  const first = rank(measured({ a: null, b: 80, c: 20, d: null, e: 20 }));
  assert.deepEqual(first.order, ["c", "e", "b", "a", "d"]);
});

const FIRST = { a: 20, b: 60 };
const rows: readonly [sentence: string, first: Latencies, then: Latencies, seconds: number, order: string][] =
  [
    ["keeps a region that is no longer nearest until the dwell is over", FIRST, { a: 90, b: 60 }, 9, "a b"],
    ["moves the nearer region in front when the dwell is over", FIRST, { a: 90, b: 60 }, 10, "b a"],
    ["keeps regions whose difference is the window", FIRST, { a: 60, b: 50 }, 60, "a b"],
    ["moves when the difference is more than the window", FIRST, { a: 60.1, b: 50 }, 10, "b a"],
    ["keeps far regions whose difference is the percentage", FIRST, { a: 200, b: 170 }, 60, "a b"],
    ["moves far regions whose difference is more", FIRST, { a: 200, b: 169 }, 10, "b a"],
    [
      "treats a region without a round trip as farthest, after the dwell",
      FIRST,
      { a: null, b: 500 },
      10,
      "b a",
    ],
    ["lets a newly measured region wait its dwell", { a: 20, b: null }, { a: 90, b: 10 }, 9, "a b"],
    ["lets a newly measured region in after its dwell", { a: 20, b: null }, { a: 90, b: 10 }, 10, "b a"],
    ["puts a new region last", FIRST, { c: 1, a: 20, b: 60 }, 9, "a b c"],
    ["lets a new region earn its place", FIRST, { c: 1, a: 20, b: 60 }, 10, "c a b"],
    ["forgets a region that is gone", FIRST, { b: 60 }, 0, "b"],
    [
      "lets a region pass a far one across one that is like both",
      { a: 70, b: 80, c: 81 },
      { a: 100, b: 91, c: 84 },
      10,
      "c a b",
    ],
  ];

for (const [sentence, first, then, seconds, expected] of rows) {
  test(`the ranking ${sentence}`, () => assert.equal(order(first, then, seconds), expected));
}

test("a nearer region that falls back inside the window starts its dwell anew", () => {
  let state = rank(measured(FIRST));
  for (let second = 0; second <= 40; second += 1) {
    const b = second % 8 === 0 ? 88 : 60;
    state = rerank(state, measured({ a: 90, b }), RULES, second * 1_000);
    assert.deepEqual(state.order, ["a", "b"]);
  }
});

test("a region that has passed another is itself passed only after a dwell of its own", () => {
  let state = rank(measured(FIRST));
  state = rerank(state, measured({ a: 90, b: 60 }), RULES, 0);
  state = rerank(state, measured({ a: 90, b: 60 }), RULES, 10_000);
  assert.deepEqual(state.order, ["b", "a"]);
  state = rerank(state, measured({ a: 20, b: 60 }), RULES, 10_001);
  state = rerank(state, measured({ a: 20, b: 60 }), RULES, 20_000);
  assert.deepEqual(state.order, ["b", "a"]);
  state = rerank(state, measured({ a: 20, b: 60 }), RULES, 20_001);
  assert.deepEqual(state.order, ["a", "b"]);
});
