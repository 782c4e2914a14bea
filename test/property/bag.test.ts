import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Bag, type Bagged, NOWHERE } from "../../src/bag.ts";

class Member implements Bagged {
  bagIndex = NOWHERE;
}

const someSteps = fc.array(fc.record({ adds: fc.boolean(), nth: fc.nat(9) }), { maxLength: 60 });

test("a bag has whoever a set would have", () => {
  fc.assert(
    fc.property(someSteps, (steps) => {
      const members = Array.from({ length: 10 }, () => new Member());
      const [bag, set] = [new Bag<Member>(), new Set<Member>()];
      for (const { adds, nth } of steps) {
        const member = members[nth] as Member;
        if (adds) bag.add(member);
        else assert.equal(bag.delete(member), set.has(member));
        if (adds) set.add(member);
        else set.delete(member);
        assert.equal(bag.size, set.size);
        assert.deepEqual(new Set(bag), set);
      }
    }),
  );
});

test("who is met in a bag may be taken away, and the others are met all the same", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (leaves) => {
      const members = leaves.map((isLeaving) => Object.assign(new Member(), { isLeaving }));
      const bag = new Bag<(typeof members)[number]>();
      for (const member of members) bag.add(member);
      const met = new Set<Member>();
      for (const member of bag) {
        met.add(member);
        if (member.isLeaving) bag.delete(member);
      }
      assert.deepEqual(met, new Set(members));
      assert.equal(bag.size, leaves.filter((isLeaving) => !isLeaving).length);
    }),
  );
});
