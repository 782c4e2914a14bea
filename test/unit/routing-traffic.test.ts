import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rounded, trafficOf } from "../../src/fleet/traffic.ts";
import { type Rate, summed, TrafficMeter } from "../../src/routing/traffic.ts";

const READ = { intent: "read", jurisdictions: null } as const;
const STATIC = { intent: "static", jurisdictions: null } as const;
const WRITE = { intent: "write", jurisdictions: ["eu"] } as const;
const HELD = { intent: "read", jurisdictions: ["eu", "ch"] } as const;

const rate = (region: string, perSecond: number, given: Partial<Rate> = {}): Rate => ({
  region,
  traffic: "reads",
  jurisdictions: null,
  perSecond,
  ...given,
});

describe("a meter of traffic", () => {
  it("tells regions, writes, and readers whom residency holds apart", () => {
    const meter = new TrafficMeter(0);
    for (const facts of [READ, READ, STATIC, WRITE, HELD]) meter.count(500, "eu", facts);
    meter.count(500, "us", READ);
    assert.deepEqual(meter.rates(2_000), [
      rate("eu", 1.5),
      rate("eu", 0.5, { traffic: "writes" }),
      rate("eu", 0.5, { jurisdictions: ["eu", "ch"] }),
      rate("us", 0.5),
    ]);
  });

  const rows: [string, number, number][] = [
    ["counts a first second as a whole one", 400, 90],
    ["counts by the time that it has measured", 3_000, 30],
    ["counts by ten seconds at most", 9_500, 90 / 9.5],
    ["forgets what is ten seconds ago", 10_000, 0],
  ];
  for (const [name, nowMs, expected] of rows) {
    it(name, () => {
      const meter = new TrafficMeter(0);
      for (let i = 0; i < 90; i += 1) meter.count(i, "eu", READ);
      assert.equal(meter.rates(nowMs)[0]?.perSecond ?? 0, expected);
    });
  }

  it("measures a steady stream for what it is, however long it lasts", () => {
    const meter = new TrafficMeter(0);
    for (let nowMs = 0; nowMs < 60_000; nowMs += 20) meter.count(nowMs, "eu", READ);
    const [steady] = meter.rates(60_000);
    assert.ok(Math.abs((steady?.perSecond ?? 0) - 50) < 0.1);
  });
});

describe("what a fleet sends", () => {
  it("is the sum over its live edges, of each region and kind", () => {
    const held = { jurisdictions: ["eu"] };
    const edges = [
      { live: true, rates: [rate("eu", 10), rate("eu", 1, held)] },
      { live: true, rates: [rate("eu", 5), rate("us", 2)] },
      { live: false, rates: [rate("eu", 1_000)] },
    ];
    const { rates, capacities } = trafficOf(edges, { regions: {} });
    assert.deepEqual(rates, [rate("eu", 15), rate("eu", 1, held), rate("us", 2)]);
    assert.equal(capacities.size, 0);
  });

  it("leaves out what an edge of another version says otherwise", () => {
    const odd: unknown[] = [
      null,
      7,
      { region: "eu" },
      rate("eu", -1),
      { ...rate("eu", 1), traffic: "all" },
      { ...rate("eu", 1), jurisdictions: "eu" },
      rate("eu", 3),
    ];
    for (const [given, expected] of [
      [odd, [rate("eu", 3)]],
      ["none", []],
    ] as const)
      assert.deepEqual(trafficOf([{ live: true, rates: given as Rate[] }], { regions: {} }).rates, expected);
  });

  it("is told to a tenth of a request", () => {
    assert.deepEqual(rounded([rate("eu", 1 / 3)]), [rate("eu", 0.3)]);
    assert.deepEqual(summed([]), []);
  });
});
