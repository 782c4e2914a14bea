import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadsWithout, type Traffic } from "../../src/routing/capacity.ts";
import { movesOf, objection } from "../../src/routing/moves.ts";
import type { Rate } from "../../src/routing/traffic.ts";
import { type Changes, RULES, viewOf } from "./routing-world.ts";

/** us writes and is next after eu, which is nearest; Germans are held in eu or ap. */
const GERMAN = { header: "x-country", values: ["de"], jurisdictions: ["eu", "ap"] };

const reads = (region: string, perSecond: number, jurisdictions: readonly string[] | null = null): Rate => ({
  region,
  traffic: "reads",
  jurisdictions,
  perSecond,
});
const writes = (region: string, perSecond: number): Rate => ({
  ...reads(region, perSecond),
  traffic: "writes",
});

function traffic(rates: readonly Rate[], capacities: Record<string, number>): Traffic {
  return { rates, capacities: new Map(Object.entries(capacities)) };
}

function setting(
  given: Traffic,
  { policy = "latency" as const, changes = {} as Changes, weighted = false } = {},
) {
  const rules = { ...RULES, policy: weighted ? ("weighted" as const) : policy, residency: [GERMAN] };
  return { view: viewOf(changes), rules, traffic: given };
}

describe("what regions have to bear without one", () => {
  const rows: [string, Traffic, { weighted?: boolean }, string, string[]][] = [
    [
      "is what they bear, and what the next nearest takes over",
      traffic([reads("eu", 40), reads("us", 10), writes("us", 5)], { us: 100 }),
      {},
      "eu",
      ["eu 40 -> 0 of null", "us 15 -> 55 of 100"],
    ],
    [
      "is spread as the policy spreads newcomers",
      traffic([reads("eu", 40)], { us: 100, ap: 50 }),
      { weighted: true },
      "eu",
      ["eu 40 -> 0 of null", "us 0 -> 20 of 100", "ap 0 -> 20 of 50"],
    ],
    [
      "goes where residency lets it",
      traffic([reads("eu", 40, ["eu", "ap"]), reads("eu", 8)], {}),
      {},
      "eu",
      ["eu 48 -> 0 of null", "ap 0 -> 40 of null", "us 0 -> 8 of null"],
    ],
    [
      "counts readers of a rule that is no longer there as anybody",
      traffic([reads("eu", 40, ["mars"])], {}),
      {},
      "eu",
      ["eu 40 -> 0 of null", "us 0 -> 40 of null"],
    ],
    [
      "loses what nobody takes over",
      traffic([writes("us", 5), reads("us", 2)], {}),
      {},
      "us",
      ["us 7 -> 0 of null", "eu 0 -> 2 of null"],
    ],
  ];
  for (const [name, given, options, id, expected] of rows) {
    it(name, () => {
      const world = setting(given, options);
      const loads = loadsWithout(id, movesOf(id, "draining", world), given);
      const lines = loads.map(
        ({ region, before, after, capacity }) => `${region} ${before} -> ${after} of ${capacity}`,
      );
      assert.deepEqual(lines, expected);
    });
  }
});

describe("an objection for want of capacity", () => {
  const rows: [string, Traffic, Changes, string][] = [
    ["is not made when there is room", traffic([reads("eu", 40)], { us: 40 }), {}, "nothing"],
    ["is made when there is none", traffic([reads("eu", 40)], { us: 39 }), {}, "capacity"],
    [
      "counts what the taker bears already",
      traffic([reads("eu", 20), writes("us", 20)], { us: 39 }),
      {},
      "capacity",
    ],
    [
      "is not made when nobody knows what the taker can bear",
      traffic([reads("eu", 40)], { eu: 1, ap: 1 }),
      {},
      "nothing",
    ],
    [
      "is not made when this is known of one of two takers only",
      traffic([reads("eu", 40), reads("eu", 40, ["eu", "ap"])], { us: 1 }),
      {},
      "nothing",
    ],
    [
      "is made when one of two takers is overloaded",
      traffic([reads("eu", 40), reads("eu", 40, ["eu", "ap"])], { us: 100, ap: 30 }),
      {},
      "capacity",
    ],
    ["is not made without traffic", traffic([], { us: 1 }), {}, "nothing"],
    [
      "is not made for a region that is overloaded, but gets nothing of it",
      traffic([reads("eu", 1), reads("ap", 900)], { us: 10, ap: 100 }),
      {},
      "nothing",
    ],
    [
      "comes after that to the last region",
      traffic([reads("eu", 40)], { us: 1, ap: 1 }),
      { us: { health: "down" }, ap: { health: "down" } },
      "last_region",
    ],
  ];
  for (const [name, given, changes, expected] of rows) {
    it(name, () => {
      const world = setting(given, { changes });
      const found = objection("eu", "draining", movesOf("eu", "draining", world), world);
      assert.equal(found?.word ?? "nothing", expected);
    });
  }

  it("is never made to opening a region, nor where it is not to be judged", () => {
    const { traffic: given, ...unjudged } = setting(traffic([reads("eu", 40)], { us: 1 }));
    const moves = movesOf("eu", "closed", unjudged);
    assert.equal(objection("eu", "open", moves, { ...unjudged, traffic: given }), null);
    assert.equal(objection("eu", "closed", moves, unjudged), null);
  });

  it("says the numbers of the region that is overloaded most, and what to do", () => {
    const rates = [reads("eu", 40), reads("us", 2.24), reads("eu", 60, ["eu", "ap"])];
    const world = setting(traffic(rates, { us: 40, ap: 10 }));
    const { why, instead } = objection("eu", "closed", movesOf("eu", "closed", world), world) ?? {};
    assert.equal(why, "without eu, ap would get 60 requests a second, after 0 now, and its capacity is 10");
    assert.equal(
      instead,
      "Wait for less traffic, open or repair another region, or raise regions.ap.capacity if it can bear more",
    );
  });
});
