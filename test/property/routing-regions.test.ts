import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type HealthState, observe, UNOBSERVED } from "../../src/routing/health.ts";
import { blend, type LatencyEstimate } from "../../src/routing/latency.ts";
import { type Measured, type NearnessRules, type RankState, rank, rerank } from "../../src/routing/rank.ts";

const health = fc.constantFrom<HealthState["health"]>("up", "down");
const thresholds = fc.record({ rise: fc.integer({ min: 2, max: 9 }), fall: fc.integer({ min: 2, max: 9 }) });

test("alternating probes never flip health when thresholds exceed one", () => {
  fc.assert(
    fc.property(health, thresholds, fc.boolean(), fc.nat(200), (start, limits, first, count) => {
      let state: HealthState = { health: start, contrary: 0 };
      for (let n = 0; n < count; n += 1) state = observe(state, first === (n % 2 === 0), limits);
      assert.equal(state.health, start);
    }),
  );
});

test("whatever came before, rise passes bring a region up and fall failures take it down", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean()), thresholds, fc.boolean(), (history, limits, passed) => {
      let state = history.reduce((seen, probe) => observe(seen, probe, limits), UNOBSERVED);
      for (let n = 0; n < (passed ? limits.rise : limits.fall); n += 1)
        state = observe(state, passed, limits);
      assert.equal(state.health, passed ? "up" : "down");
    }),
  );
});

test("the count of contrary probes never reaches the threshold", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean()), thresholds, (probes, limits) => {
      const state = probes.reduce((seen, probe) => observe(seen, probe, limits), UNOBSERVED);
      assert.ok(state.contrary < (state.health === "up" ? limits.fall : limits.rise));
    }),
  );
});

const latency = fc.double({ min: 0.01, max: 1_000, noNaN: true });

test("an estimate never leaves the range of its samples", () => {
  const steps = fc.array(fc.tuple(latency, fc.integer({ min: 0, max: 60_000 })), { minLength: 1 });
  fc.assert(
    fc.property(steps, (samples) => {
      let [state, nowMs]: [LatencyEstimate | null, number] = [null, 0];
      for (const [sample, gapMs] of samples) {
        nowMs += gapMs;
        state = blend(state, sample, nowMs);
      }
      const seen = samples.map(([sample]) => sample);
      assert.ok(state);
      assert.ok(state.latencyMs >= Math.min(...seen) - 1e-9);
      assert.ok(state.latencyMs <= Math.max(...seen) + 1e-9);
    }),
  );
});

const IDS = ["a", "b", "c", "d", "e"];
const rules: fc.Arbitrary<NearnessRules> = fc.record({
  windowMs: fc.integer({ min: 0, max: 50 }),
  percent: fc.integer({ min: 0, max: 50 }),
  dwellMs: fc.constantFrom(0, 1_000, 10_000),
});
const unsteady = fc.array(
  fc.array(fc.option(fc.integer({ min: 1, max: 300 }), { nil: null, freq: 8 }), {
    minLength: 5,
    maxLength: 5,
  }),
  { minLength: 2, maxLength: 60 },
);

function world(latencies: readonly (number | null)[]): readonly Measured[] {
  return latencies.map((latencyMs, index) => ({ id: IDS[index] ?? "", latencyMs }));
}

function* ranked(
  worlds: readonly (readonly (number | null)[])[],
  limits: NearnessRules,
  stepMs: number,
): Generator<{ state: RankState; nowMs: number; measured: readonly Measured[] }> {
  let state: RankState = { order: [], outOfOrderSince: new Map() };
  for (const [index, latencies] of worlds.entries()) {
    const measured = world(latencies);
    state = rerank(state, measured, limits, index * stepMs);
    yield { state, nowMs: index * stepMs, measured };
  }
}

test("a ranking always names every region once", () => {
  fc.assert(
    fc.property(unsteady, rules, fc.integer({ min: 1, max: 5_000 }), (worlds, limits, stepMs) => {
      for (const { state } of ranked(worlds, limits, stepMs)) assert.deepEqual(state.order.toSorted(), IDS);
    }),
  );
});

test("latencies that jitter inside the window never change an order", () => {
  const base = fc.integer({ min: 20, max: 300 });
  const jitter = fc.array(
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
    {
      minLength: 2,
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(base, jitter, rules, (baseMs, worlds, limits) => {
      const within = worlds.map((shares) => shares.map((share) => baseMs + share * limits.windowMs));
      const [first, ...rest] = [...ranked(within, limits, 60_000)].map(({ state }) => state.order.join());
      for (const order of rest) assert.equal(order, first);
    }),
  );
});

test("the front is not given back within one dwell", () => {
  fc.assert(
    fc.property(unsteady, rules, fc.integer({ min: 1, max: 5_000 }), (worlds, limits, stepMs) => {
      const lostAtMs = new Map<string, number>();
      let front: string | undefined;
      for (const { state, nowMs } of ranked(worlds, limits, stepMs)) {
        const [now = ""] = state.order;
        if (front !== undefined && now !== front) {
          lostAtMs.set(front, nowMs);
          assert.ok(nowMs - (lostAtMs.get(now) ?? Number.NEGATIVE_INFINITY) >= limits.dwellMs);
        }
        front = now;
      }
    }),
  );
});

test("two regions trade places at most once per dwell", () => {
  fc.assert(
    fc.property(unsteady, rules, fc.integer({ min: 1, max: 5_000 }), (worlds, limits, stepMs) => {
      const pairs = worlds.map((latencies) => latencies.slice(0, 2));
      let [order, changedMs] = ["", Number.NEGATIVE_INFINITY];
      for (const { state, nowMs } of ranked(pairs, limits, stepMs)) {
        const now = state.order.join();
        if (order !== "" && now !== order) {
          assert.ok(nowMs - changedMs >= limits.dwellMs);
          changedMs = nowMs;
        }
        order = now;
      }
    }),
  );
});

test("once latencies hold still for a dwell, no region stands before one that is clearly nearer", () => {
  fc.assert(
    fc.property(unsteady, rules, (worlds, limits) => {
      const last = worlds.at(-1) ?? [];
      const seen = [...ranked([...worlds, last, last, last], limits, limits.dwellMs)].at(-1);
      assert.ok(seen);
      const at = new Map(seen.measured.map((one) => [one.id, one.latencyMs ?? Number.MAX_VALUE]));
      const standing = seen.state.order.map((id) => at.get(id) ?? 0);
      for (const [place, frontMs] of standing.entries()) {
        const marginMs = Math.max(limits.windowMs, (limits.percent / 100) * frontMs);
        for (const behindMs of standing.slice(place + 1)) assert.ok(frontMs - behindMs <= marginMs);
      }
    }),
  );
});

test("a ranking from nothing is sorted by latency", () => {
  fc.assert(
    fc.property(fc.array(latency, { minLength: 5, maxLength: 5 }), (latencies) => {
      const order = rank(world(latencies)).order.map((id) => latencies[IDS.indexOf(id)] ?? 0);
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
    }),
  );
});
