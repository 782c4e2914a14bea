import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { deployedBoards, substituted } from "../support/dashboard-queries.ts";
import { WatchedFleet } from "../support/watched-fleet.ts";

const SECONDS = 3;
const RANGE_SECONDS = 120;

describe("the dashboards over a real Prometheus, after a fleet has met everything", () => {
  let fleet: WatchedFleet;
  before(async () => {
    fleet = await WatchedFleet.start();
    await fleet.live(SECONDS);
  });
  after(() => fleet?.stop());

  for (const board of deployedBoards())
    it(`draw something in every panel of ${board.uid}`, async () => {
      const empty: string[] = [];
      for (const { title, targets = [] } of board.panels)
        for (const { expr } of targets) {
          const found = await fleet.prometheus.query(substituted(expr, RANGE_SECONDS));
          const numbers = found.map(({ value }) => Number(value?.[1]));
          if (numbers.length === 0 || numbers.some(Number.isNaN)) empty.push(`${title}: ${expr}`);
        }
      assert.deepEqual(empty, []);
    });

  it("have annotations that Prometheus understands, and each has marked something", async () => {
    const [board] = deployedBoards();
    const now = Date.now();
    const silent: string[] = [];
    for (const { expr, titleFormat } of board?.annotations.list ?? []) {
      // The story is told in seconds here, so what has changed is looked for in seconds.
      const asked = substituted(expr.replaceAll("30s", "3s"), RANGE_SECONDS);
      const found = await fleet.prometheus.queryRange(asked, now - RANGE_SECONDS * 1_000, now, 1);
      if (found.length === 0) silent.push(titleFormat);
    }
    assert.deepEqual(silent, []);
  });

  for (const [what, expr] of [
    [
      "a region that was down",
      'max(max_over_time(meridian_region_health{region="eu-west",state="down"}[2m])) == 1',
    ],
    ["a drain", 'max(max_over_time(meridian_region_admission{region="eu-west",state="draining"}[2m])) == 1'],
    ["the new write region", 'min(meridian_write_region{region="ap-south"}) == 1'],
    ["the new epoch, at every edge", "min(meridian_write_epoch) == 2"],
    ["a drill", "max(max_over_time(meridian_drill_running[2m])) == 1"],
    ["how the drill ended", "sum(meridian_drills_total) == 1"],
    ["Redis away", "max(min_over_time(meridian_redis_up[2m])) == 0"],
    ["the file that was refused, at one edge", "count(meridian_config_last_reload_successful == 0) == 1"],
    ["reads that a pin sent to the writer", 'sum(increase(meridian_requests_total{reason="pin"}[2m])) > 0'],
    ["tunnels", "sum(meridian_tunnels) > 0"],
  ] as const)
    it(`have shown ${what}`, async () => {
      assert.ok((await fleet.prometheus.query(expr)).length > 0, expr);
    });
});
