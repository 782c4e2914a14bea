import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAppliedEverywhere, releases } from "../../src/routing/hold.ts";
import type { Position } from "../../src/routing/position.ts";
import { type Changes, RULES, viewOf } from "./routing-world.ts";

const at = (position: number): Position => ({ epoch: 1, at: position.toString(16).padStart(16, "0") });
const has = (position: number) => ({ applied: at(position) });

describe("a write is everywhere", () => {
  const rows: readonly [string, Changes, boolean][] = [
    ["when every replica has said that it has it", { eu: has(10), ap: has(11) }, true],
    ["and not while one is behind", { eu: has(10), ap: has(9) }, false],
    [
      "nor while one that lags too much is, since it may catch up a little",
      { eu: has(10), ap: { ...has(9), lagMs: 9_000 } },
      false,
    ],
    [
      "nor while one that is down is, since it may come back without",
      { eu: has(10), ap: { health: "down" } },
      false,
    ],
    [
      "but one that the operator has closed serves nobody",
      { eu: has(10), ap: { admission: "closed" } },
      true,
    ],
  ];
  for (const [sentence, changes, expected] of rows)
    it(sentence, () => assert.equal(isAppliedEverywhere(at(10), viewOf(changes), RULES), expected));
});

describe("a hold", () => {
  it("of which nobody knows where it stands is released by nobody", () => {
    const view = viewOf({ eu: has(10) });
    const eu = view.byId.get("eu");
    assert.ok(eu);
    assert.equal(releases(eu, { positions: [], open: false, regions: [] }, view), false);
  });
});
