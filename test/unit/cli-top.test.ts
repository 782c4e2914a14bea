import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StatusAnswer } from "../../src/admin/messages.ts";
import type { RegionAnswer } from "../../src/admin/region-messages.ts";
import { eventText } from "../../src/cli/event-text.ts";
import { type Glance, topLines } from "../../src/cli/top-text.ts";

const STATUS: StatusAnswer = {
  ...{ edge: "edge-1", version: "0.1.0", uptimeSeconds: 61, configVersion: 1, epoch: 4, writeRegion: "us" },
  ...{ mode: "rw", move: null, consistency: "strict", redis: "up", caller: null, edges: 3, workers: 1 },
};

const region = (id: string, requestsPerSecond: number): RegionAnswer => ({
  ...{
    id,
    role: "replica",
    jurisdiction: null,
    location: null,
    weight: 100,
    health: "up",
    admission: "open",
    operator: null,
  },
  ...{ latencyMs: 12, lagMs: 0, fenced: false, warmth: 1, requestsPerSecond, drain: null, endpoints: [] },
  ...{ sessions: 7, pins: 0, tunnels: 2, streams: 0, requestsInFlight: 3 },
});

const glance = (atMs: number, metrics: string, regions = [region("us", 10), region("eu", 30)]): Glance => ({
  ...{ status: STATUS, regions, metrics, atMs },
});

const METRICS = (pin: number, latency: number, failed: number) => `
meridian_requests_total{region="us",method="GET",code_class="2xx",reason="pin"} ${pin}
meridian_requests_total{region="eu",method="GET",code_class="2xx",reason="latency"} ${latency}
meridian_requests_total{region="none",method="GET",code_class="5xx",reason="none"} ${failed}
meridian_consistency_total{outcome="kept"} ${pin + latency}
meridian_edge_overhead_seconds_bucket{le="0.001"} ${pin}
meridian_edge_overhead_seconds_bucket{le="+Inf"} ${pin + latency}
`;

describe("the page of top", () => {
  it("says what has happened since the last glance, and each region's share", () => {
    const [head, traffic, reasons, guarantee, , columns, us, eu] = topLines(
      glance(0, METRICS(100, 100, 0)),
      glance(2_000, METRICS(125, 170, 5)),
      [],
      40,
    );
    assert.match(head ?? "", /^edge-1 · 0\.1\.0 · .* write region us .* 3 edges$/);
    assert.match(traffic ?? "", /^50\.0 requests\/s here · 5\.00 % answered 5xx/);
    assert.equal(reasons, "because of  latency 70.0 %   pin 25.0 %   none 5.0 %");
    assert.equal(guarantee, "guarantee   kept 100.0 %");
    assert.match(columns ?? "", /^REGION .* REQ\/S +SHARE/);
    assert.match(us ?? "", /10\.0 +25 % +█████ /);
    assert.match(eu ?? "", /30\.0 +75 % +███████████████ /);
  });

  it("shows as many of the newest events as fit", () => {
    const lines = topLines(glance(0, ""), glance(1_000, ""), ["first", "second", "third"], 11);
    assert.deepEqual(lines.slice(-2), ["second", "third"]);
    assert.equal(lines.length, 11);
  });

  it("stays calm where there is nothing to divide by", () => {
    const text = topLines(glance(0, ""), glance(0, "", [region("us", 0)]), [], 40).join("\n");
    assert.ok(!/NaN|Infinity|undefined/.test(text), text);
  });
});

describe("an event in words", () => {
  const at = "2026-05-01T12:34:56.789Z";

  it("has its time and what an operator wants to know", () => {
    const told = eventText("healthChanged", { at, region: "eu", from: "up", to: "down", cause: "timeout" });
    assert.equal(told, "12:34:56 eu: up → down (timeout)");
  });

  it("is told by its fields when this version does not know it", () => {
    assert.equal(eventText("comet", { at, near: true, of: ["a"] }), '12:34:56 comet: near true, of ["a"]');
  });
});
