import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { attemptSpanId, traceOf, traceparentOf } from "../../src/trace.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

describe("the trace of a request", () => {
  it("goes on where a proxy has begun it, and keeps to what that has decided", () => {
    const trace = traceOf(`00-${TRACE}-${PARENT}-01`, 0);
    assert.deepEqual([trace.traceId, trace.parentId, trace.sampled], [TRACE, PARENT, true]);
    assert.match(trace.spanId, /^[0-9a-f]{16}$/);
    assert.equal(traceOf(`00-${TRACE}-${PARENT}-00`, 100).sampled, false);
    assert.equal(traceOf(`cc-${TRACE}-${PARENT}-01-what-a-later-version-adds`, 0).traceId, TRACE);
  });

  for (const said of [
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-012`,
    "",
  ])
    it(`begins anew where somebody says ${said || "nothing"}`, () => {
      const trace = traceOf(said, 100);
      assert.notEqual(trace.traceId, TRACE);
      assert.deepEqual([trace.parentId, trace.sampled], [null, true]);
    });

  it("is sampled in about the share that is asked for", () => {
    const share = (percent: number) =>
      Array.from({ length: 4_000 }, () => traceOf(undefined, percent)).filter(({ sampled }) => sampled)
        .length / 4_000;
    assert.equal(share(0), 0);
    assert.equal(share(100), 1);
    assert.ok(Math.abs(share(25) - 0.25) < 0.05);
  });

  it("tells each region the span of its own attempt", () => {
    const trace = traceOf(`00-${TRACE}-${PARENT}-01`, 0);
    const told = [0, 1, 200].map((attempt) => traceparentOf(trace, attempt));
    assert.equal(new Set([...told, `00-${TRACE}-${trace.spanId}-01`]).size, 4);
    assert.equal(told[0], `00-${TRACE}-${attemptSpanId(trace.spanId, 0)}-01`);
  });
});
