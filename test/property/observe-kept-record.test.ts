import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Attempt, RequestRecord } from "../../src/events.ts";
import { KeptRecord } from "../../src/observe/kept-record.ts";
import { decide } from "../../src/routing/decide.ts";
import { someInputs } from "./some-inputs.ts";

const someMs = fc.double({ min: 0, max: 60_000, noNaN: true });
const someText = fc.string();

/** As an object literal is. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record<T>(model, { noNullPrototype: true });

const someAttempt: fc.Arbitrary<Attempt> = plain<Attempt>({
  region: someText,
  endpoint: someText,
  outcome: fc.constantFrom<Attempt["outcome"][]>(200, 503, "reset", "connect_failed"),
  startedMs: someMs,
  durationMs: someMs,
});

const someRecord: fc.Arbitrary<RequestRecord> = fc
  .record({
    id: someText,
    startedAtWallMs: fc.double({ min: 0, max: 2 ** 45, noNaN: true }),
    method: someText,
    path: someText,
    protocol: fc.constantFrom("http/1.0", "http/1.1", "h2", "websocket"),
    status: fc.integer({ min: 100, max: 599 }),
    region: fc.option(someText),
    reason: fc.constantFrom(null, "pin", "retry"),
    fault: fc.constantFrom(null, "reset", "no_region"),
    attempts: fc.array(someAttempt, { maxLength: 3 }),
    durationMs: someMs,
    upstreamMs: fc.option(someMs),
    overheadMs: fc.option(someMs),
    bytesIn: fc.nat(),
    bytesOut: fc.nat(),
    pinLookup: fc.option(plain({ startedMs: someMs, durationMs: someMs })),
    consistency: fc.constantFrom(null, "degraded", "lost"),
    affinity: fc.constantFrom("hit", "none"),
    complete: fc.boolean(),
    trace: fc.option(
      plain({
        traceId: someText,
        spanId: someText,
        parentId: fc.option(someText),
        sampled: fc.boolean(),
      }),
    ),
    inputs: fc.option(someInputs),
  })
  .map((given) => {
    const { inputs } = given;
    return { ...given, pin: inputs?.pin ?? "free", decision: inputs && decide(inputs) };
  });

test("a record is kept as it is, whatever was in its place before, and whatever is beside it", () => {
  fc.assert(
    fc.property(fc.array(someRecord, { minLength: 1, maxLength: 6 }), someRecord, (records, other) => {
      const numbers = KeptRecord.numbersOf(2);
      const [place, beside] = [new KeptRecord(numbers, 0), new KeptRecord(numbers, 1)];
      beside.keep(other);
      for (const record of records) {
        place.keep(record);
        assert.deepEqual(place.record, record);
      }
      assert.deepEqual(beside.record, other);
    }),
    { numRuns: 500 },
  );
});
