import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { TalliedHistogram } from "../../src/observe/tallied-histogram.ts";

const terms = { name: "seconds", help: "For how long.", buckets: [0.1, 0.5, 2] };
const durations = fc.oneof(fc.constantFrom(0, ...terms.buckets), fc.double({ min: 0, max: 5, noNaN: true }));
const observed = fc.array(fc.tuple(fc.constantFrom("eu", "us", "none"), durations), { maxLength: 50 });

for (const label of ["region", null])
  test(`says what prom-client's own says, with ${label ?? "no"} label`, async () => {
    await fc.assert(
      fc.asyncProperty(observed, async (values) => {
        const [ours, theirs] = [new Registry(), new Registry()];
        const labelNames = label === null ? [] : [label];
        const tallied = new TalliedHistogram({ ...terms, label }, ours);
        const plain = new Histogram({ ...terms, labelNames, registers: [theirs] });
        for (const [of, value] of values) {
          tallied.observe(of, value);
          plain.observe(label === null ? {} : { [label]: of }, value);
        }
        assert.equal(await ours.metrics(), await theirs.metrics());
        assert.deepEqual(plainly(await ours.getMetricsAsJSON()), plainly(await theirs.getMetricsAsJSON()));
      }),
      { numRuns: 50 },
    );
  });

/** Without the places of exemplars, which nobody fills, and as processes send it to each other. */
function plainly(metrics: unknown): unknown {
  return JSON.parse(JSON.stringify(metrics, (key, value) => (key === "exemplar" ? undefined : value)));
}
