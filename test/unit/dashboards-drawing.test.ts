import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layersOf } from "../../scripts/drawing/graph.ts";
import { drawn } from "../../scripts/drawing/panel.ts";
import { type Line, runsOf } from "../../scripts/drawing/series.ts";
import type { ShownPanel } from "../support/dashboard-queries.ts";

const line = (name: string, ...values: readonly number[]): Line => ({
  name,
  labels: {},
  points: values.map((value, index) => [index, value] as const),
});

function panel(defaults: Partial<ShownPanel["fieldConfig"]["defaults"]>, type = "timeseries"): ShownPanel {
  return {
    type,
    title: "A panel",
    gridPos: { x: 0, y: 0, w: 12, h: 8 },
    fieldConfig: { defaults: { unit: "reqps", ...defaults } },
    options: {},
  };
}
const WHEN = { span: { fromMs: 0, toMs: 2_000 }, marks: [] };
const stacked = (mode: string) => panel({ custom: { stacking: { mode } } });

describe("a drawn panel", () => {
  const lines = [line("kept", 30, 30, 30), line("stale", 0, 10, 0)];

  it("has an area for each series of a stack, on top of those before it", () => {
    assert.deepEqual(layersOf(lines, "normal")[1], [
      [0, 30, 30],
      [1, 40, 30],
      [2, 30, 30],
    ]);
    const svg = drawn(stacked("normal"), lines, WHEN);
    assert.equal(svg.match(/<polygon/g)?.length, 2);
    assert.doesNotMatch(svg, /<polyline/);
  });

  it("has shares of the whole where the stack is in percent", () => {
    assert.deepEqual(
      layersOf(lines, "percent").map((layer) => layer[1]),
      [
        [1, 0.75, 0],
        [1, 1, 0.75],
      ],
    );
  });

  it("has lines where nothing is stacked", () => {
    const svg = drawn(stacked("none"), lines, WHEN);
    assert.equal(svg.match(/<polyline/g)?.length, 2);
    assert.doesNotMatch(svg, /<polygon/);
  });

  it("interrupts a line where there was no value", () => {
    const points = [[1], [2], [5], [6]] as const;
    assert.deepEqual(runsOf(points), [
      [[1], [2]],
      [[5], [6]],
    ]);
  });

  it("says that there is nothing, in the panel's own words where it has some", () => {
    assert.match(drawn(panel({}), [], WHEN), />No data</);
    assert.match(drawn(panel({ noValue: "no certificate" }), [], WHEN), />no certificate</);
  });

  it("gives a number the colour of the threshold that it has reached", () => {
    const steps = [
      { value: null, color: "green" },
      { value: 1, color: "orange" },
    ];
    const colorsOf = (value: number) =>
      drawn(panel({ thresholds: { steps } }, "stat"), [line("", value)], WHEN).match(/fill:#\w+/)?.[0];
    assert.deepEqual([colorsOf(0), colorsOf(1)], ["fill:#73bf69", "fill:#ff9830"]);
  });
});
