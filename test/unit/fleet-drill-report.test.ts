import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  abandonedDrill,
  begunDrill,
  type Drill,
  type DrillState,
  endedDrill,
  isInForce,
  settledDrill,
  supervised,
  takenOverDrill,
} from "../../src/fleet/drill.ts";
import { DrillHistory } from "../../src/fleet/drill-history.ts";
import {
  type MeasuredEdge,
  readReport,
  reportOfDrill,
  totalsOf,
  whyAbort,
} from "../../src/fleet/drill-report.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import { LEASE_MS } from "../../src/fleet/move.ts";

const NOW = Date.parse("2027-01-06T10:00:00Z");

const DRILL: Drill = {
  ...{ id: "d1", region: "eu", kind: "black-hole", who: "ops", reason: "weekly", forced: false },
  ...{ by: "edge-1:x", leaseUntilMs: 0, sinceMs: 0, untilMs: 0, abortAbove: { errorRatio: 0.01 } },
  ...{ writeRegion: "us", epoch: 3, window: null, end: null },
};
const NONE: DrillState = { drill: null, windows: {} };
const WINDOW = { line: "eu|0 10 * * 3|UTC", id: "eu|0 10 * * 3|2027-01-06T10:00:00.000Z" };

const begun = (state = NONE, window: typeof WINDOW | null = null) =>
  begunDrill(DRILL, 120_000, window)(state, NOW);
const RUNNING: DrillState = begun() ?? NONE;
const drillIn = (state: DrillState | null) => state?.drill ?? null;

describe("a drill of the fleet", () => {
  it("is begun once at a time, and for a window once at all", () => {
    const { sinceMs, untilMs, leaseUntilMs } = RUNNING.drill ?? DRILL;
    assert.deepEqual([sinceMs, untilMs, leaseUntilMs], [NOW, NOW + 120_000, NOW + LEASE_MS]);
    assert.equal(begun(RUNNING), null);
    const windowed = begun(NONE, WINDOW) ?? NONE;
    assert.equal(windowed.windows[WINDOW.line], WINDOW.id);
    assert.equal(drillIn(windowed)?.window, WINDOW.id);
    const settled = settledDrill("d1", "edge-1:x")(windowed, NOW) ?? NONE;
    assert.equal(settled.drill, null);
    assert.equal(begun(settled, WINDOW), null);
    assert.ok(begun(settled, { ...WINDOW, id: "eu|0 10 * * 3|2027-01-13T10:00:00.000Z" }));
    assert.ok(begun(settled));
  });

  const drill = RUNNING.drill ?? DRILL;
  const ended = endedDrill("d1", { result: "stopped", who: "ops", why: "enough" })(RUNNING, NOW + 1_000);
  const forces: [string, Drill, number, boolean][] = [
    ["is in force while it is supervised", drill, NOW + LEASE_MS - 1, true],
    ["is not when its lease is over", drill, NOW + LEASE_MS, false],
    ["is not when its time is over", { ...drill, leaseUntilMs: NOW + 200_000 }, NOW + 120_000, false],
    ["is not when it was ended", drillIn(ended) ?? drill, NOW + 1_000, false],
  ];
  for (const [name, given, atMs, expected] of forces)
    it(name, () => assert.equal(isInForce(given, atMs), expected));

  it("is supervised by its own edge only, and ended by any, once", () => {
    assert.equal(supervised("d1", "edge-2:y")(RUNNING, NOW + 1_000), null);
    assert.equal(
      drillIn(supervised("d1", "edge-1:x")(RUNNING, NOW + 1_000))?.leaseUntilMs,
      NOW + 1_000 + LEASE_MS,
    );
    assert.equal(drillIn(ended)?.end?.why, "enough");
    assert.equal(
      endedDrill("d1", { result: "passed", who: "ops", why: "" })(ended ?? NONE, NOW + 2_000),
      null,
    );
    assert.equal(endedDrill("d0", { result: "passed", who: "ops", why: "" })(RUNNING, NOW), null);
  });

  it("is lost when nobody supervises it, and another edge writes its report", () => {
    assert.equal(takenOverDrill("d1", "edge-2:y")(RUNNING, NOW + LEASE_MS - 1), null);
    const taken = drillIn(takenOverDrill("d1", "edge-2:y")(RUNNING, NOW + LEASE_MS));
    assert.deepEqual([taken?.by, taken?.end?.result, taken?.end?.atMs], ["edge-2:y", "lost", NOW + LEASE_MS]);
    assert.match(taken?.end?.why ?? "", /^the edge edge-1 was not heard of any more$/);
    const left = abandonedDrill("d1", "edge-1:x")(RUNNING, NOW + 10) ?? NONE;
    assert.equal(drillIn(takenOverDrill("d1", "edge-2:y")(left, NOW + 10))?.end?.why, "its edge was stopped");
  });

  it("keeps how it ended when its edge dies before the report, and has passed when it had gone on to its end", () => {
    const taken = drillIn(takenOverDrill("d1", "edge-2:y")(ended ?? NONE, NOW + 60_000));
    assert.deepEqual([taken?.by, taken?.end?.result], ["edge-2:y", "stopped"]);
    const whole = { drill: { ...drill, leaseUntilMs: NOW + 121_000 }, windows: {} };
    assert.equal(drillIn(takenOverDrill("d1", "edge-2:y")(whole, NOW + 130_000))?.end?.result, "passed");
  });
});

function edge(name: string, given: Partial<MeasuredEdge>): MeasuredEdge {
  return {
    ...{ edge: name, requests: 0, lost: 0, retried: 0, sessionsMoved: 0, pinsMoved: 0 },
    ...{ detectMs: null, shiftMs: 0, troubleMs: null, recoveryMs: null, firstWriteMs: null },
    ...given,
  };
}

describe("whether a drill hurts too much", () => {
  const rows: [string, number, number, number, RegExp | null][] = [
    ["does not without a loss", 1_000, 0, 0, null],
    ["is not known by a few requests", 49, 49, 0.01, null],
    ["does not at the limit", 100, 1, 0.01, null],
    ["does above it", 100, 2, 0.01, /^2 of 100 requests failed, more than 1 %$/],
    ["never does with a limit of 1", 50, 50, 1, null],
    ["does with one loss when none is allowed", 50, 1, 0, /^1 of 50 requests failed, more than 0 %$/],
  ];
  for (const [name, requests, lost, errorRatio, expected] of rows) {
    it(name, () => {
      const why = whyAbort(totalsOf([edge("a", { requests, lost })]), { errorRatio });
      if (expected === null) assert.equal(why, null);
      else assert.match(why ?? "", expected);
    });
  }
});

describe("the report of a drill", () => {
  const AFTER = { region: "us", epoch: 3 };
  const ENDED: Drill = {
    ...(RUNNING.drill ?? DRILL),
    end: { result: "passed", who: "ops", why: "its time was over", atMs: NOW + 120_000 },
  };

  it("sums up what the edges have measured", () => {
    const edges = [
      edge("a", {
        requests: 100,
        lost: 1,
        retried: 5,
        detectMs: 2_000,
        shiftMs: 1_900,
        troubleMs: 1_000,
        recoveryMs: 2_500,
      }),
      edge("b", {
        requests: 300,
        lost: 3,
        retried: 7,
        detectMs: 2_300,
        shiftMs: 2_200,
        troubleMs: 900,
        recoveryMs: 2_400,
        sessionsMoved: 4,
        pinsMoved: 2,
      }),
      edge("c", {}),
    ];
    const report = reportOfDrill(ENDED, edges.slice(0, 2), AFTER);
    const { requests, lost, retried, errorRatio, sessionsMoved, pinsMoved, lastedMs } = report;
    assert.deepEqual(
      [requests, lost, retried, errorRatio, sessionsMoved, pinsMoved],
      [400, 4, 12, 0.01, 4, 2],
    );
    const { detectMs, shiftMs, recoveryMs, startedAt, endedAt, result } = report;
    assert.deepEqual([detectMs, shiftMs, recoveryMs], [{ first: 2_000, last: 2_300 }, 2_200, 2_500]);
    assert.deepEqual(
      [startedAt, endedAt, lastedMs, result],
      ["2027-01-06T10:00:00.000Z", "2027-01-06T10:02:00.000Z", 120_000, "passed"],
    );
    assert.deepEqual(readReport(JSON.stringify(report)), report);
    assert.equal(reportOfDrill(ENDED, edges, AFTER).detectMs.last, null, "one edge never knew");
  });

  const recoveries: [string, Partial<MeasuredEdge>[], number | null][] = [
    ["is 0 when nobody was hurt", [{ requests: 9 }, { requests: 9 }], 0],
    [
      "is that of the last edge to recover",
      [{ troubleMs: 1, recoveryMs: 40 }, { troubleMs: 1, recoveryMs: 50 }, {}],
      50,
    ],
    ["is not known when one edge did not", [{ troubleMs: 1, recoveryMs: 40 }, { troubleMs: 1 }], null],
  ];
  for (const [name, edges, expected] of recoveries) {
    it(`has a recovery that ${name}`, () => {
      const given = edges.map((each, index) => edge(String(index), each));
      assert.equal(reportOfDrill(ENDED, given, AFTER).recoveryMs, expected);
    });
  }

  it("leaves an edge that came late out of who detected it", () => {
    const edges = [
      edge("a", { detectMs: 2_000, shiftMs: 1_900 }),
      edge("late", { requests: 5, shiftMs: null }),
    ];
    const { detectMs, shiftMs, requests } = reportOfDrill(ENDED, edges, AFTER);
    assert.deepEqual([detectMs, shiftMs, requests], [{ first: 2_000, last: 2_000 }, 1_900, 5]);
  });

  it("tells of the writes when the region took them", () => {
    const drill = { ...ENDED, writeRegion: "eu" };
    const edges = [edge("a", { firstWriteMs: 30_000 }), edge("b", { firstWriteMs: 25_000 })];
    const moved = reportOfDrill(drill, edges, { region: "us", epoch: 4 });
    assert.equal(moved.firstWriteMs, 25_000);
    assert.deepEqual(moved.writes, { before: { region: "eu", epoch: 3 }, after: { region: "us", epoch: 4 } });
    assert.equal(reportOfDrill(ENDED, edges, AFTER).firstWriteMs, null);
  });

  it("is none in what another has written", () => {
    for (const text of ["", "{", "null", "[]", '{"id":"a"}', '{"id":1,"region":"eu","edges":[]}'])
      assert.equal(readReport(text), null, text);
  });

  it("is kept once, however often it was written, the newest in front", async () => {
    const history = new DrillHistory(new MemoryHash());
    const report = (id: string) => ({ ...reportOfDrill(ENDED, [], AFTER), id });
    for (const id of ["one", "two", "two", "three"]) await history.write(report(id));
    const ids = (await history.read()).map(({ id }) => id);
    assert.deepEqual(ids, ["three", "two", "one"]);
    assert.deepEqual(
      history.known.map(({ id }) => id),
      ids,
    );
  });
});
