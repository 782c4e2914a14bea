import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counter, Histogram, Registry } from "prom-client";
import { growth, quantileOf, samplesOf, sumsBy } from "../../src/cli/exposition.ts";

describe("what an edge exposes, read again", () => {
  it("finds the samples of one metric and of no other", async () => {
    const registers = [new Registry()];
    const [registry] = registers;
    const counter = new Counter({ name: "a_total", help: "x", labelNames: ["region", "reason"], registers });
    new Counter({ name: "a_total_more", help: "x", registers }).inc(9);
    counter.inc({ region: "eu-west", reason: "pin" }, 3);
    counter.inc({ region: "us-east", reason: "pin" }, 4);
    const samples = samplesOf((await registry?.metrics()) ?? "", "a_total");
    assert.deepEqual(samples, [
      { labels: { region: "eu-west", reason: "pin" }, value: 3 },
      { labels: { region: "us-east", reason: "pin" }, value: 4 },
    ]);
    assert.deepEqual([...sumsBy("reason", samples)], [["pin", 7]]);
  });

  it("says below which bound of a histogram a share lies", async () => {
    const registers = [new Registry()];
    const histogram = new Histogram({ name: "h", help: "x", buckets: [0.001, 0.01, 0.1], registers });
    for (const seconds of [0.0005, 0.0005, 0.005, 7]) histogram.observe(seconds);
    const buckets = sumsBy("le", samplesOf((await registers[0]?.metrics()) ?? "", "h_bucket"));
    assert.equal(quantileOf(0.5, buckets), 0.001);
    assert.equal(quantileOf(0.75, buckets), 0.01);
    assert.equal(quantileOf(0.99, buckets), Number.POSITIVE_INFINITY);
    assert.equal(quantileOf(0.5, new Map([["+Inf", 0]])), null);
  });

  it("takes a counter that has become less for one that began again", () => {
    const grown = growth(
      new Map([
        ["a", 10],
        ["b", 10],
      ]),
      new Map([
        ["a", 12],
        ["b", 3],
        ["c", 1],
      ]),
    );
    assert.deepEqual(
      [...grown],
      [
        ["a", 2],
        ["b", 3],
        ["c", 1],
      ],
    );
  });
});
