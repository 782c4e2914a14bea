import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasAllOf, mayGoBack, objectionToMove, outcomeOf, successors } from "../../src/fleet/readiness.ts";
import type { Traffic } from "../../src/routing/capacity.ts";
import type { Region } from "../../src/routing/region.ts";
import { region, view } from "./observe-samples.ts";

const at = (position: number, epoch = 1) => ({ epoch, at: position.toString(16).padStart(16, "0") });
const us = (change: Partial<Region> = {}) =>
  region("us", { role: "writer", applied: at(9), writer: true, ...change });
const eu = (change: Partial<Region> = {}) =>
  region("eu", { applied: at(9), writer: false, lagMs: 40, ...change });
const IDLE: Traffic = { rates: [], capacities: new Map() };
const rate = (id: string, traffic: "reads" | "writes", perSecond: number) => ({
  ...{ region: id, traffic, jurisdictions: null, perSecond },
});

describe("what speaks against a region as the next write region", () => {
  const busy: Traffic = {
    rates: [rate("us", "writes", 60), rate("us", "reads", 500), rate("eu", "reads", 50)],
    capacities: new Map([["eu", 100]]),
  };
  const rows: [string, Region, string | null, Traffic?][] = [
    ["nothing", eu(), null],
    ["that it is not up", eu({ health: "down" }), "eu is down"],
    ["that it is degraded", eu({ health: "degraded" }), "eu is degraded"],
    ["that it is drained", eu({ admission: "draining" }), "eu is draining"],
    [
      "that it lags",
      eu({ lagMs: 6_000 }),
      "eu lags 6000 ms, more than health.maxLag; writes would wait too long for it",
    ],
    [
      "that it cannot bear the writes",
      eu(),
      "eu would get 110 requests a second with the writes of us, after 50 now, and its capacity is 100",
      busy,
    ],
    ["nothing when it can", eu(), null, { ...busy, capacities: new Map([["eu", 110]]) }],
    ["nothing when nobody knows whether it can", eu(), null, { ...busy, capacities: new Map() }],
  ];
  for (const [name, target, expected, traffic = IDLE] of rows)
    it(name, () => {
      const setting = { view: view([us(), target], { writeRegion: "us" }), maxLagMs: 5_000, traffic };
      assert.equal(objectionToMove("eu", false, setting), expected);
      assert.equal(objectionToMove("eu", true, setting), null, "force leaves out what is only unwise");
    });

  it("that it is the write region, is not there, or a move is under way, whatever is forced", () => {
    const known = view([us(), eu()], { writeRegion: "us" });
    const against = (id: string, seen = known) =>
      objectionToMove(id, true, { view: seen, maxLagMs: 1, traffic: IDLE });
    assert.equal(against("us"), "us is the write region already");
    assert.equal(against("mars"), "no region is called mars");
    assert.equal(against("eu", { ...known, moving: true }), "a move is under way; wait for its end");
    assert.match(against("eu", { ...known, writeRegion: null }) ?? "", /^with several writers/);
  });
});

describe("whether a region has all that another has", () => {
  const rows: [string, Region, Region, boolean][] = [
    ["when it is as far", eu(), us(), true],
    ["when it is behind", eu({ applied: at(8) }), us(), false],
    ["when it is in a newer epoch", eu({ applied: at(1, 2) }), us(), true],
    ["when it is in an older one", eu(), us({ applied: at(1, 2) }), false],
    ["when one of them does not say", eu({ applied: null }), us(), false],
    ["when the other does not say", eu(), us({ applied: null }), false],
  ];
  for (const [name, target, old, expected] of rows)
    it(name, () => assert.equal(hasAllOf(target, old), expected));
});

describe("what has come of a promotion", () => {
  const heard = (seen: Region) => ({ heard: true, region: seen });
  const unheard = (seen: Region) => ({ heard: false, region: seen });
  const promotedEu = eu({ writer: true, applied: at(9, 2) });
  const demoted = us({ writer: false });
  const silent = { writer: null };
  const rows: [string, Parameters<typeof outcomeOf>, string][] = [
    [
      "done, when the new one says so",
      [heard(promotedEu), heard(demoted), { epoch: 2, hookDone: true }],
      "new",
    ],
    [
      "done, though the hook says that it failed",
      [heard(promotedEu), heard(us()), { epoch: 2, hookDone: false }],
      "new",
    ],
    [
      "nothing yet, when the new one is not the writer",
      [heard(eu()), heard(us()), { epoch: 2, hookDone: true }],
      "neither",
    ],
    [
      "nothing, when the hook failed and the old one goes on",
      [heard(eu()), heard(us()), { epoch: 2, hookDone: false }],
      "old",
    ],
    ["nobody takes writes", [heard(eu()), heard(demoted), { epoch: 2, hookDone: false }], "neither"],
    [
      "a claim in an older epoch is none, when the old one goes on",
      [heard(eu({ writer: true })), heard(us()), { epoch: 2, hookDone: false }],
      "old",
    ],
    [
      "but it is one when the old one denies",
      [heard(eu({ writer: true, applied: null })), heard(demoted), { epoch: 2, hookDone: false }],
      "new",
    ],
    [
      "regions that say nothing are believed to be as the hook says",
      [heard(eu(silent)), heard(us(silent)), { epoch: 2, hookDone: true }],
      "new",
    ],
    [
      "and to have stayed as they were when it failed",
      [heard(eu(silent)), heard(us(silent)), { epoch: 2, hookDone: false }],
      "old",
    ],
    [
      "who is not heard has said nothing",
      [unheard(promotedEu), unheard(us()), { epoch: 2, hookDone: true }],
      "neither",
    ],
  ];
  for (const [name, given, expected] of rows) it(name, () => assert.equal(outcomeOf(...given), expected));

  it("lets writes go back to the old one unless it denies them, or the new one may have been promoted", () => {
    assert.equal(mayGoBack(heard(us()), heard(eu()), false), true);
    assert.equal(mayGoBack(heard(demoted), heard(eu()), true), false);
    assert.equal(mayGoBack(unheard(us()), heard(eu()), false), true);
    assert.equal(mayGoBack(unheard(us()), unheard(eu()), false), false);
    assert.equal(mayGoBack(unheard(us()), unheard(eu()), true), true);
  });
});

describe("who may take over", () => {
  const order = (regions: readonly Region[], wanted: readonly string[] = []) =>
    successors(regions, wanted).map(({ id }) => id);

  it("is whoever has most of the log, and of those the first in order", () => {
    const [a, b, c] = [
      region("a", { applied: at(7) }),
      region("b", { applied: at(9) }),
      region("c", { applied: at(9) }),
    ];
    assert.deepEqual(order([a, b, c], ["a", "c", "b"]), ["c", "b", "a"]);
    assert.deepEqual(order([region("d", { applied: at(1, 2) }), b]), ["d", "b"], "of the newer epoch");
    assert.deepEqual(order([region("e", {}), a]), ["a", "e"], "who does not say comes last");
  });

  it("is whoever takes writes already, and nobody who is closed, unwell or fenced", () => {
    const ahead = region("a", { applied: at(9) });
    assert.deepEqual(order([ahead, region("b", { applied: at(1), writer: true })]), ["b", "a"]);
    const unfit = [
      { admission: "closed" },
      { health: "down" },
      { health: "degraded" },
      { fenced: true },
    ] as const;
    assert.deepEqual(order(unfit.map((change, n) => region(`${n}`, change))), []);
  });
});
