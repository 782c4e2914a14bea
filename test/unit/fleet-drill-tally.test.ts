import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RequestRecord } from "../../src/events.ts";
import type { Drill } from "../../src/fleet/drill.ts";
import { DrillTally, isLostBy } from "../../src/fleet/drill-tally.ts";
import type { DecisionInputs } from "../../src/routing/decision.ts";
import { record } from "./observe-samples.ts";
import { type Case, inputsOf } from "./routing-world.ts";

type Rehearsed = Pick<Drill, "region" | "kind" | "writeRegion">;
const HOLE: Rehearsed = { region: "eu", kind: "black-hole", writeRegion: "us" };
const DRAIN: Rehearsed = { ...HOLE, kind: "drain" };

const inVain = {
  region: "eu",
  endpoint: "http://eu",
  outcome: "connect_failed",
  startedMs: 0,
  durationMs: 1_000,
} as const;
const there = { region: "eu", endpoint: "http://eu", outcome: 200, startedMs: 0, durationMs: 10 } as const;
const elsewhere = {
  region: "us",
  endpoint: "http://us",
  outcome: 200,
  startedMs: 0,
  durationMs: 80,
} as const;

const inputs = (given: Case): DecisionInputs => inputsOf(given);
const good = (given: Partial<RequestRecord> = {}) =>
  record({ region: "us", durationMs: 80, attempts: [elsewhere], affinity: "none", ...given });
const retried = (given: Partial<RequestRecord> = {}) =>
  good({ durationMs: 1_080, attempts: [inVain, elsewhere], ...given });
const failed = good({ status: 502, fault: "connect_failed", attempts: [inVain], durationMs: 1_000 });

describe("a request that a drill has lost", () => {
  const rows: [string, Rehearsed, Partial<RequestRecord>, boolean][] = [
    ["answered elsewhere", HOLE, {}, false],
    ["answered elsewhere after an attempt", HOLE, { attempts: [inVain, elsewhere] }, false],
    ["refused because nobody could be reached", HOLE, { status: 502, fault: "connect_failed" }, true],
    ["refused because the writer is lost", HOLE, { status: 503, fault: "writer_down" }, true],
    ["failed by the application", HOLE, { status: 500 }, true],
    ["cut off in the middle", HOLE, { status: 200, fault: "reset", complete: false }, true],
    ["that was not one", HOLE, { status: 400, fault: "bad_request" }, false],
    ["whose client was refused by the application", HOLE, { status: 404 }, false],
    [
      "whose client gave up on the lost region",
      HOLE,
      { status: 499, fault: "client_gone", attempts: [inVain] },
      true,
    ],
    ["whose client left another", HOLE, { status: 499, fault: "client_gone", attempts: [elsewhere] }, false],
    [
      "whose client left a drained region",
      DRAIN,
      { status: 499, fault: "client_gone", attempts: [inVain] },
      false,
    ],
  ];
  for (const [name, drill, given, expected] of rows)
    it(`is ${expected ? "one" : "none"} ${name}`, () => assert.equal(isLostBy(good(given), drill), expected));
});

describe("the measures of a drill at one edge", () => {
  const tallyOf = (drill = HOLE, { followedMs = 100, isLate = false } = {}) =>
    new DrillTally(drill, { followedMs, isLate });

  it("begin with when the edge heard of it; a drain is known then", () => {
    const { requests, detectMs, shiftMs, troubleMs, recoveryMs } = tallyOf().measures;
    assert.deepEqual([requests, detectMs, shiftMs, troubleMs, recoveryMs], [0, null, 100, null, null]);
    assert.equal(tallyOf(DRAIN).measures.detectMs, 100);
  });

  it("count what came and ended while it was on", () => {
    const tally = tallyOf();
    tally.request(good({ durationMs: 500 }), 400);
    tally.request(good(), 400);
    tally.request(retried(), 1_500);
    tally.request(failed, 2_000);
    const { requests, lost, retried: again } = tally.measures;
    assert.deepEqual([requests, lost, again], [3, 1, 1]);
  });

  it("say when the region was first known to be lost, and last asked", () => {
    const tally = tallyOf();
    tally.request(good({ durationMs: 20, region: "eu", attempts: [there] }), 90);
    assert.equal(tally.measures.shiftMs, 100);
    tally.request(retried({ durationMs: 1_100 }), 2_500);
    tally.down(2_100);
    tally.down(3_000);
    tally.request(good(), 4_000);
    const { shiftMs, detectMs } = tally.measures;
    assert.deepEqual([shiftMs, detectMs], [1_400, 2_100]);
  });

  it("say of a second attempt there when it was made", () => {
    const tally = tallyOf();
    tally.request(
      good({ attempts: [{ ...elsewhere, outcome: "reset", durationMs: 300 }, inVain], durationMs: 1_300 }),
      2_000,
    );
    assert.equal(tally.measures.shiftMs, 1_000);
  });

  it("say nothing of when, at an edge that came late, but count", () => {
    const tally = tallyOf(HOLE, { followedMs: 60_000, isLate: true });
    tally.down(62_000);
    tally.request(failed, 63_000);
    const { requests, lost, detectMs, shiftMs } = tally.measures;
    assert.deepEqual([requests, lost, detectMs, shiftMs], [1, 1, null, null]);
  });

  it("call it recovered at the first of twenty good answers in a row after trouble", () => {
    const tally = tallyOf();
    for (let at = 100; at < 1_000; at += 10) tally.request(good({ durationMs: 1 }), at);
    assert.equal(tally.measures.recoveryMs, null);
    tally.request(retried(), 2_000);
    for (let n = 0; n < 19; n += 1) tally.request(good(), 2_010 + n);
    tally.request(failed, 2_030);
    for (let n = 0; n < 19; n += 1) tally.request(good(), 2_040 + n);
    assert.deepEqual([tally.measures.troubleMs, tally.measures.recoveryMs], [2_000, null]);
    tally.request(good(), 2_060);
    tally.request(failed, 2_070);
    assert.equal(tally.measures.recoveryMs, 2_040);
  });

  it("count sessions that left the region, and not those that left another", () => {
    const tally = tallyOf();
    const from = (affinity: string) => inputs({ facts: { affinity } });
    tally.request(good({ affinity: "moved", inputs: from("eu") }), 500);
    tally.request(good({ affinity: "moved", inputs: from("ap") }), 500);
    tally.request(good({ affinity: "hit", inputs: from("us") }), 500);
    assert.equal(tally.measures.sessionsMoved, 1);
  });

  it("count pinned reads that another region answered for the lost one", () => {
    const pinned = good({ pin: "pinned", inputs: inputs({ pin: "pinned" }) });
    const replica = tallyOf();
    replica.request(pinned, 500);
    assert.equal(replica.measures.pinsMoved, 0);
    const writer = tallyOf({ ...HOLE, region: "ap", writeRegion: "ap" });
    writer.request(pinned, 500);
    writer.request(good({ ...pinned, status: 503, fault: "writer_down" }), 500);
    assert.equal(writer.measures.pinsMoved, 1);
    const several = tallyOf({ ...HOLE, writeRegion: null });
    const hold = { positions: [], open: true, regions: ["eu"] };
    several.request(good({ pin: "pinned", inputs: inputs({ pin: "pinned", hold }) }), 500);
    several.request(pinned, 500);
    assert.equal(several.measures.pinsMoved, 1);
  });

  it("say when the first write went elsewhere", () => {
    const tally = tallyOf({ ...HOLE, region: "eu", writeRegion: "eu" });
    const write = { inputs: inputs({ facts: { intent: "write" } }) };
    tally.request(good({ ...write, status: 503, fault: "writer_down", region: null }), 500);
    tally.request(good({ ...write, region: "eu" }), 600);
    tally.request(good(write), 9_000);
    tally.request(good(write), 9_500);
    assert.equal(tally.measures.firstWriteMs, 9_000);
  });
});
