import assert from "node:assert/strict";
import { test } from "node:test";
import { lags, pinWindowMs } from "../../src/routing/lag.ts";
import { RULES, viewOf } from "./routing-world.ts";

test("a user stays with the writer for the grace window", () => {
  assert.equal(pinWindowMs(10_000, viewOf(), RULES), 10_000);
});

test("or for twice the lag of the slowest replica that may serve it afterwards", () => {
  assert.equal(pinWindowMs(5_000, viewOf({ eu: { lagMs: 4_000 } }), RULES), 8_000);
});

test("a replica that lags too much to serve does not stretch the window", () => {
  assert.equal(pinWindowMs(5_000, viewOf({ eu: { lagMs: 60_000 } }), RULES), 5_000);
});

test("the write region never lags, unless it says that it is one no longer", () => {
  const lagging = (writer: boolean | null) => {
    const view = viewOf({ us: { writer, lagMs: RULES.maxLagMs + 1 } });
    return view.regions.filter((region) => lags(region, view, RULES)).map(({ id }) => id);
  };
  assert.deepEqual([lagging(null), lagging(true), lagging(false)], [[], [], ["us"]]);
});
