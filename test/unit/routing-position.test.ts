import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  hasApplied,
  isLost,
  laterPosition,
  leastApplied,
  type Position,
  readPosition,
  writePosition,
} from "../../src/routing/position.ts";
import type { View } from "../../src/routing/region.ts";
import { viewOf } from "./routing-world.ts";

const at = (epoch: number, position: number): Position => ({
  epoch,
  at: position.toString(16).padStart(16, "0"),
});

/** eu has applied this, in a view of this epoch. */
function covers(applied: Position | null, wanted: Position, view: Partial<View> = {}): boolean {
  const world = { ...viewOf({ eu: { applied } }), ...view };
  const eu = world.byId.get("eu");
  assert.ok(eu);
  return hasApplied(eu, wanted, world);
}

describe("a position in the write log", () => {
  it("is read from its header, and nothing else is", () => {
    assert.deepEqual(readPosition("3:00000000000004D2"), { epoch: 3, at: "00000000000004d2" });
    assert.deepEqual(readPosition(" 3:4d2 "), { epoch: 3, at: "00000000000004d2" });
    for (const text of ["", "3", "3:", ":4d2", "3:4g", "-1:4d2", "3:00000000000004d21", "3:4d2, 3:4d3"])
      assert.equal(readPosition(text), null, text);
    assert.equal(writePosition(at(3, 1234)), "3:00000000000004d2");
  });

  it("is applied by a region that says so in the present epoch", () => {
    assert.equal(covers(at(1, 10), at(1, 10)), true);
    assert.equal(covers(at(1, 255), at(1, 16)), true);
    assert.equal(covers(at(1, 9), at(1, 10)), false);
    assert.equal(covers(null, at(1, 0)), false);
  });

  it("is not comparable with one of another epoch", () => {
    assert.equal(covers(at(1, 99), at(1, 10), { epoch: 2, promotions: [at(2, 50)] }), false);
    assert.equal(covers(at(2, 99), at(2, 10)), false);
    assert.equal(covers(at(1, 99), at(2, 10)), false);
  });

  it("of an older epoch is held by who has applied where the present one began", () => {
    const world = { epoch: 3, promotions: [at(2, 40), at(3, 50)] };
    assert.equal(covers(at(3, 50), at(1, 45), world), true);
    assert.equal(covers(at(3, 49), at(1, 10), world), false);
    assert.equal(covers(at(3, 99), at(1, 10), { epoch: 3, promotions: [] }), false);
  });

  it("is lost when the next epoch began before it", () => {
    const world = { ...viewOf(), epoch: 3, promotions: [at(2, 40), at(3, 50)] };
    assert.equal(isLost(at(1, 41), world), true);
    assert.equal(isLost(at(1, 40), world), false);
    assert.equal(isLost(at(2, 45), world), false);
    assert.equal(isLost(at(2, 51), world), true);
    assert.equal(isLost(at(3, 99), world), false);
  });

  it("is the later one of an epoch, and of two epochs the newer one's", () => {
    assert.deepEqual(laterPosition(at(1, 10), at(1, 9)), at(1, 10));
    assert.deepEqual(laterPosition(at(1, 10), at(2, 9)), at(2, 9));
    assert.deepEqual(laterPosition(null, at(2, 9)), at(2, 9));
  });

  it("of a region is that of the node that has applied least, and unknown when one does not say", () => {
    assert.deepEqual(leastApplied([at(1, 10), at(1, 9)]), at(1, 9));
    assert.deepEqual(leastApplied([at(2, 10), at(1, 99)]), at(1, 99));
    assert.equal(leastApplied([at(1, 10), null]), null);
    assert.equal(leastApplied([]), null);
  });
});
