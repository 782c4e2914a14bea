import fc from "fast-check";
import type { DecisionInputs } from "../../src/routing/decision.ts";
import type { Hold } from "../../src/routing/hold.ts";
import type { Region } from "../../src/routing/region.ts";
import { inputsOf } from "../unit/routing-world.ts";

const JURISDICTIONS = ["eu", "us", "ap"];
/** Of the present epoch, of an older one, of a newer one. */
const APPLIED = [1, 0, 2].map((epoch) => ({ epoch, at: "0000000000000010" }));

const WRITTEN = APPLIED.flatMap(({ epoch }) => [
  { epoch, at: "0000000000000009" },
  { epoch, at: "0000000000000011" },
]);

const someHold: fc.Arbitrary<Hold> = fc.record({
  positions: fc.subarray(WRITTEN),
  open: fc.boolean(),
  regions: fc.subarray(["a", "b"]),
});

const region = (id: string): fc.Arbitrary<Region> =>
  fc.record({
    id: fc.constant(id),
    role: fc.constantFrom("writer", "replica", "standby"),
    jurisdiction: fc.constantFrom(null, ...JURISDICTIONS),
    weight: fc.integer({ min: 0, max: 200 }),
    health: fc.constantFrom("unknown", "up", "degraded", "down"),
    admission: fc.constantFrom("open", "draining", "closed"),
    latencyMs: fc.option(fc.integer({ min: 0, max: 400 })),
    lagMs: fc.option(fc.integer({ min: 0, max: 10_000 })),
    applied: fc.constantFrom(null, ...APPLIED),
    writer: fc.constantFrom(null, true, false),
    fenced: fc.constantFrom(false, false, false, true),
    warmth: fc.constantFrom(0.1, 0.5, 1),
  });

const IDS = ["a", "b", "c", "d"];

/** Any world, any reader, any rules. */
export const someInputs: fc.Arbitrary<DecisionInputs> = fc
  .record({
    regions: fc.tuple(...IDS.map(region)),
    count: fc.integer({ min: 1, max: IDS.length }),
    facts: fc.record({
      intent: fc.constantFrom("read", "write", "static"),
      jurisdictions: fc.option(fc.subarray(JURISDICTIONS, { minLength: 1 })),
      affinity: fc.constantFrom(null, "a", "b", "gone"),
      movedMs: fc.option(fc.integer({ min: 0, max: 20_000 })),
      identified: fc.boolean(),
      chance: fc.double({ min: 0, max: 0.999, noNaN: true }),
    }),
    pin: fc.constantFrom("free", "pinned", "unknown", "waived", "unasked"),
    hold: fc.option(someHold),
    promotions: fc.constantFrom([], [{ epoch: 1, at: "0000000000000010" }]),
    moving: fc.boolean(),
    vouched: fc.constantFrom(false, false, true),
    tried: fc.subarray(IDS),
    rules: fc.record({
      policy: fc.constantFrom("latency", "priority", "weighted"),
      topology: fc.constantFrom("single-writer", "multi-writer"),
      whenAllDown: fc.constantFrom("try", "refuse"),
      whenWriterDown: fc.constantFrom("refuse", "stale"),
      maxLagMs: fc.constant(5_000),
      monotonicReads: fc.constantFrom(null, { unknownLagMs: 10_000, marginMs: 2_000 }),
    }),
  })
  .map(({ regions, count, hold, promotions, moving, vouched, ...given }) => {
    const known = given.pin === "free" || given.pin === "waived" ? null : hold;
    const view = { promotions, moving, vouched };
    return inputsOf({ ...given, ...(known && { hold: known }), view, regions: regions.slice(0, count) });
  });
