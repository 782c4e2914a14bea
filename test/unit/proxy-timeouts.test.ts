import assert from "node:assert/strict";
import { test } from "node:test";
import { NOWHERE } from "../../src/bag.ts";
import { Timeouts } from "../../src/proxy/timeouts.ts";

test("nobody is told of more time than has passed, nor of much less, and not after he has left", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const timeouts = new Timeouts();
  for (const beforeMs of [0, 1, 100, 249, 250]) {
    t.mock.timers.tick(beforeMs);
    const beganAtMs = timeouts.awakeMs;
    const told: number[] = [];
    const waiting = { bagIndex: NOWHERE, look: (awakeMs: number) => void told.push(awakeMs - beganAtMs) };
    timeouts.add(waiting);
    for (let passedMs = 1; passedMs <= 2_000; passedMs += 1) {
      t.mock.timers.tick(1);
      const last = told.at(-1) ?? 0;
      assert.ok(last <= passedMs && last > passedMs - 500, `${last} after ${passedMs} ms`);
    }
    assert.ok(told.length > 6);
    timeouts.delete(waiting);
    const looks = told.length;
    t.mock.timers.tick(1_000);
    assert.equal(told.length, looks);
  }
  timeouts.close();
});
