import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Recent } from "../../src/consistency/recent.ts";

describe("what was worked out lately", () => {
  it("is known while it is among the last that were used, and takes a bounded place", () => {
    const capacity = 4;
    fc.assert(
      fc.property(fc.array(fc.nat(12), { maxLength: 200 }), (uses) => {
        const recent = new Recent<number>(capacity);
        for (const [at, use] of uses.entries()) {
          const lastUsed = new Set(uses.slice(0, at).reverse().filter(firstOnly).slice(0, capacity));
          const known = recent.get(`${use}`);
          if (lastUsed.has(use)) assert.equal(known, use);
          else assert.ok(known === undefined || known === use);
          if (known === undefined) recent.set(`${use}`, use);
          assert.ok(recent.size <= 2 * capacity);
        }
      }),
    );
  });

  it("is not kept of long texts, nor under a text that UTF-8 cannot say", () => {
    const recent = new Recent<number>();
    for (const key of ["x".repeat(2_000), "\ud800"]) {
      recent.set(key, 1);
      assert.equal(recent.get(key), undefined);
    }
    recent.set("\ufffd", 2);
    assert.equal(recent.get("\ud800"), undefined);
  });
});

function firstOnly(value: number, at: number, all: readonly number[]): boolean {
  return all.indexOf(value) === at;
}
