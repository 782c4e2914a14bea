import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Traffic } from "../../src/routing/capacity.ts";
import {
  type DrillPlan,
  type DrillSetting,
  objectionsToDrill,
  objectionToGoingOn,
  warningsOfDrill,
} from "../../src/routing/drill.ts";
import type { View } from "../../src/routing/region.ts";
import { type Changes, RULES, viewOf } from "./routing-world.ts";

/** us writes, eu is near, ap is far. */
function world(
  changes: Changes = {},
  given: Partial<DrillSetting> = {},
  view: Partial<View> = {},
): DrillSetting {
  return {
    view: { ...viewOf(changes), ...view },
    rules: RULES,
    failover: "manual",
    failoverAfterMs: 15_000,
    seenDown: [],
    ...given,
  };
}

/** All reads go to eu. */
function reads(perSecond: number, capacities: Record<string, number>): Traffic {
  const rate = { region: "eu", traffic: "reads", jurisdictions: null, perSecond } as const;
  return { rates: [rate], capacities: new Map(Object.entries(capacities)) };
}

const plan = (region: string, given: Partial<DrillPlan> = {}): DrillPlan => ({
  ...{ region, kind: "black-hole", lastsMs: 120_000 },
  ...given,
});

const HELD_IN_EU = {
  rules: { ...RULES, residency: [{ header: "x-country", values: ["de"], jurisdictions: ["eu"] }] },
};
const AUTOMATIC = { failover: "automatic" } as const;

describe("what speaks against a drill", () => {
  const rows: [string, DrillPlan, DrillSetting, RegExp[]][] = [
    ["of a replica, when all is well", plan("eu"), world(), []],
    ["of a replica that is drained", plan("eu", { kind: "drain" }), world(), []],
    [
      "of the write region: nobody else takes the writes",
      plan("us"),
      world(),
      [/^write_region: us takes the writes.*meridian promote eu/],
    ],
    ["of the write region: not, where the fleet moves it by itself", plan("us"), world({}, AUTOMATIC), []],
    [
      "of the write region that is drained: the fleet moves only what is down",
      plan("us", { kind: "drain" }),
      world({}, AUTOMATIC),
      [/^write_region: .*meridian promote eu/],
    ],
    [
      "of the write region: the fleet has just moved it",
      plan("us"),
      world({}, { failover: "held-down" }),
      [/^write_region: .*it has just done so. Wait until failover.holdDown is over/],
    ],
    [
      "of one of two writers: not",
      plan("us"),
      world(
        { eu: { role: "writer" } },
        { rules: { ...RULES, topology: "multi-writer" } },
        { writeRegion: null },
      ),
      [],
    ],
    [
      "of the only region of a jurisdiction that holds readers",
      plan("eu"),
      world({}, HELD_IN_EU),
      [/^last_region: eu is the last region for readers held in eu by residency/],
    ],
    [
      "while another is down",
      plan("eu"),
      world({ ap: { health: "down" } }),
      [/^out_of_service: ap is down. Wait/],
    ],
    [
      "while another is unknown",
      plan("eu"),
      world({ ap: { health: "unknown" } }),
      [/^out_of_service: ap is unknown/],
    ],
    [
      "while it is drained itself",
      plan("eu"),
      world({ eu: { admission: "draining" } }),
      [/^out_of_service: eu is draining/],
    ],
    [
      "while another is closed",
      plan("eu"),
      world({ ap: { admission: "closed" } }),
      [/^out_of_service: ap is closed/],
    ],
    ["not while another is degraded", plan("eu"), world({ ap: { health: "degraded" } }), []],
    [
      "while another edge sees one down",
      plan("eu"),
      world({}, { seenDown: [{ edge: "edge-2", region: "ap" }] }),
      [/^out_of_service: ap is down for the edge edge-2/],
    ],
    [
      "when another region would get more than it can bear",
      plan("eu"),
      world({}, { traffic: reads(250, { us: 200 }) }),
      [/^capacity: without eu, us would get 250 requests a second, after 0 now, and its capacity is 200/],
    ],
    ["not when it can", plan("eu"), world({}, { traffic: reads(200, { us: 200 }) }), []],
    [
      "not by a capacity that it does not tell",
      plan("eu"),
      world({}, { traffic: reads(900, { ap: 1 }) }),
      [],
    ],
    [
      "of the last that is up, all of it",
      plan("us"),
      world({ eu: { health: "down" }, ap: { health: "down" } }),
      [/^write_region/, /^last_region/, /^out_of_service: eu is down/],
    ],
  ];
  for (const [name, drill, setting, expected] of rows) {
    it(name, () => {
      const told = objectionsToDrill(drill, setting).map(
        ({ word, why, instead }) => `${word}: ${why}. ${instead}`,
      );
      assert.equal(told.length, expected.length, told.join("\n"));
      for (const [index, pattern] of expected.entries()) assert.match(told[index] ?? "", pattern);
    });
  }
});

describe("the warnings before a drill", () => {
  it("are none where writes stay where they are", () => {
    assert.deepEqual(warningsOfDrill(plan("eu"), world({}, AUTOMATIC)), []);
    assert.deepEqual(warningsOfDrill(plan("us"), world()), []);
  });

  it("say that the write region moves for good, and when there is too little time for it", () => {
    const [warning = ""] = warningsOfDrill(plan("us"), world({}, AUTOMATIC));
    assert.match(warning, /^us takes the writes: the fleet moves them to another region for good/);
    const [short = ""] = warningsOfDrill(plan("us", { lastsMs: 15_000 }), world({}, AUTOMATIC));
    assert.match(short, /But the drill is over before us has been down for failover.after$/);
  });
});

describe("whether a drill may go on", () => {
  const lost = { eu: { health: "down", admission: "closed" } } as const;
  const rows: [string, Changes, Partial<DrillSetting>, RegExp | null][] = [
    ["may, while others serve", lost, {}, null],
    ["may, while one other serves", { ...lost, ap: { health: "down" } }, {}, null],
    [
      "may not, when no other does",
      { ...lost, us: { health: "down" }, ap: { admission: "closed" } },
      {},
      /^eu is the last region/,
    ],
    ["may not, when none is left for some readers", lost, HELD_IN_EU, /held in eu by residency/],
  ];
  for (const [name, changes, given, expected] of rows) {
    it(name, () => {
      const found = objectionToGoingOn("eu", world(changes, given));
      if (expected === null) assert.equal(found, null);
      else assert.match(found?.why ?? "", expected);
    });
  }
});
