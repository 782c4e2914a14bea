import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Move, movesOf, objection, type Setting } from "../../src/routing/moves.ts";
import type { Admission, Region, View } from "../../src/routing/region.ts";
import { RULES } from "./routing-world.ts";

/** German readers are held in the jurisdiction eu. */
const GERMAN = {
  rules: { ...RULES, residency: [{ header: "x-country", values: ["de"], jurisdictions: ["eu"] }] },
};

/** us writes and is nearest; eu is German law's only region; ap is far away. */
const US: Region = region("us", { role: "writer", latencyMs: 10, jurisdiction: "us" });
const EU: Region = region("eu", { latencyMs: 50, jurisdiction: "eu" });
const AP: Region = region("ap", { latencyMs: 150 });

function region(id: string, given: Partial<Region>): Region {
  return {
    id,
    role: "replica",
    jurisdiction: null,
    weight: 100,
    health: "up",
    admission: "open",
    latencyMs: null,
    lagMs: null,
    applied: null,
    writer: null,
    fenced: false,
    warmth: 1,
    ...given,
  };
}

function world(
  regions: readonly Region[],
  given: Partial<Setting> = {},
  writeRegion: string | null = "us",
): Setting {
  const byId = new Map(regions.map((each) => [each.id, each]));
  const view: View = {
    regions,
    byId,
    nearest: regions,
    writeRegion,
    epoch: 1,
    promotions: [],
    moving: false,
    vouched: false,
  };
  return { view, rules: RULES, ...given };
}

function line({ traffic, jurisdictions, before, after }: Move): string {
  const shares = ({ regions, fault }: Move["before"]) =>
    fault ?? regions.map((each) => `${each.region} ${each.share}`).join(" ");
  return `${traffic} ${jurisdictions?.join() ?? "all"}: ${shares(before)} -> ${shares(after)}`;
}

describe("what a change of admission moves", () => {
  const rows: [string, Admission, string, Setting, string[]][] = [
    [
      "sends the readers of a closed region to the next nearest",
      "closed",
      "us",
      world([US, EU, AP]),
      ["reads all: us 1 -> eu 1", "writes all: us 1 -> writer_down"],
    ],
    [
      "sees a drain through to its end",
      "draining",
      "us",
      world([US, EU, AP]),
      ["reads all: us 1 -> eu 1", "writes all: us 1 -> writer_down"],
    ],
    [
      "moves nothing when the region served nobody",
      "closed",
      "ap",
      world([US, EU, AP]),
      ["reads all: us 1 -> us 1", "writes all: us 1 -> us 1"],
    ],
    [
      "brings readers home when a region opens",
      "open",
      "us",
      world([{ ...US, admission: "closed" }, EU]),
      ["reads all: eu 1 -> us 1", "writes all: writer_down -> us 1"],
    ],
    [
      "gives shares under the weighted policy",
      "closed",
      "ap",
      world([{ ...US, weight: 300 }, EU, AP], { rules: { ...RULES, policy: "weighted" } }),
      ["reads all: us 0.6 eu 0.2 ap 0.2 -> us 0.75 eu 0.25", "writes all: us 1 -> us 1"],
    ],
    [
      "follows each residency rule",
      "closed",
      "eu",
      world([US, EU, AP], GERMAN),
      ["reads all: us 1 -> us 1", "reads eu: eu 1 -> residency", "writes all: us 1 -> us 1"],
    ],
  ];
  for (const [name, admission, id, setting, expected] of rows) {
    it(name, () => assert.deepEqual(movesOf(id, admission, setting).map(line), expected));
  }

  it("leaves the view it was given as it was", () => {
    const setting = world([US, EU]);
    movesOf("us", "closed", setting);
    assert.equal(setting.view.byId.get("us")?.admission, "open");
    assert.equal(setting.view.nearest[0], US);
  });
});

describe("what stands against a change of admission", () => {
  const multi = { rules: { ...RULES, topology: "multi-writer" } } as const;
  const downEu: Region = { ...EU, health: "down" };
  const closedEu: Region = { ...EU, admission: "closed" };
  const drainingEu: Region = { ...EU, admission: "draining" };
  const rows: [string, Admission, string, Setting, string][] = [
    ["nothing, when another region can take the readers", "closed", "eu", world([EU, US, AP]), "nothing"],
    ["the writes, for the write region", "closed", "us", world([US, EU]), "write_region"],
    ["the writes, for draining the write region too", "draining", "us", world([US, EU]), "write_region"],
    [
      "nothing, for one of two writers",
      "closed",
      "us",
      world([US, { ...EU, role: "writer" }], multi, null),
      "nothing",
    ],
    [
      "the writes, for the last writer that is up",
      "closed",
      "us",
      world([US, { ...downEu, role: "writer" }, AP], multi, null),
      "write_region",
    ],
    ["the readers, when the others are down", "draining", "ap", world([AP, downEu], {}, null), "last_region"],
    [
      "the readers, when the others are closed",
      "closed",
      "ap",
      world([AP, closedEu], {}, null),
      "last_region",
    ],
    [
      "the readers, when the others are draining",
      "closed",
      "ap",
      world([AP, drainingEu], {}, null),
      "last_region",
    ],
    [
      "the readers, for closing the last that still drains",
      "closed",
      "eu",
      world([drainingEu], {}, null),
      "last_region",
    ],
    ["nothing, for a region that is down anyway", "closed", "eu", world([downEu, AP], {}, null), "nothing"],
    ["the readers whom the law holds there", "closed", "eu", world([US, EU, AP], GERMAN), "last_region"],
    ["nothing, for another law's region", "closed", "ap", world([US, closedEu, AP], GERMAN), "nothing"],
    ["nothing, ever, for opening", "open", "us", world([{ ...US, admission: "closed" }, downEu]), "nothing"],
  ];
  for (const [name, admission, id, setting, expected] of rows) {
    it(name, () => {
      const found = objection(id, admission, movesOf(id, admission, setting), setting);
      assert.equal(found?.word ?? "nothing", expected);
    });
  }
});

describe("what to do instead", () => {
  const multi = { rules: { ...RULES, topology: "multi-writer" } } as const;
  const closedEu: Region = { ...EU, admission: "closed" };
  const downAp: Region = { ...AP, health: "down" };
  const rows: [string, string, Setting, string][] = [
    [
      "is to promote the nearest region that could take the writes",
      "us",
      world([US, closedEu, AP]),
      "Move the write region to another region first: meridian promote ap (POST /v1/write-region)",
    ],
    [
      "is to promote one once there is one",
      "us",
      world([US, closedEu, downAp]),
      "Move the write region to another region first, once one is open and up: meridian promote REGION (POST /v1/write-region)",
    ],
    [
      "is to bring back another writer, where there are several",
      "us",
      world([US, { ...closedEu, role: "writer" }, AP], multi, null),
      "Make another region fit first: undrain eu, which is closed",
    ],
    [
      "is to undrain or repair one of the others",
      "us",
      world([US, closedEu, downAp], {}, null),
      "Make another region fit first: undrain eu, which is closed; or repair ap, which is down",
    ],
    [
      "is to repair one that the law allows, of several",
      "eu",
      world([US, EU, { ...downAp, jurisdiction: "eu" }], GERMAN),
      "Make another region fit first: repair ap, which is down",
    ],
    [
      "is to add one, where the law knows no other",
      "eu",
      world([US, EU, AP], GERMAN),
      "Add another region in eu first",
    ],
  ];
  for (const [name, id, setting, expected] of rows) {
    it(name, () => {
      const found = objection(id, "draining", movesOf(id, "draining", setting), setting);
      assert.equal(found?.instead, expected);
    });
  }
});
