import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentTraffic } from "../../src/demo/recent-traffic.ts";

test("rates are of the last five seconds, and older requests are forgotten", () => {
  let nowMs = 0;
  const traffic = new RecentTraffic({ now: () => nowMs, wall: () => nowMs });
  nowMs = 10_000;
  for (let request = 0; request < 10; request += 1) traffic.add("eu-west");
  nowMs = 12_000;
  for (let request = 0; request < 5; request += 1) traffic.add("us-east");
  assert.equal(Math.round((traffic.rates().get("eu-west") ?? 0) * 10) / 10, 2);
  assert.equal(Math.round((traffic.rates().get("us-east") ?? 0) * 10) / 10, 1);
  nowMs = 16_000;
  assert.deepEqual([...traffic.rates().keys()], ["us-east"]);
});
