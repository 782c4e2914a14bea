import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../scripts/chaos/checker.ts";
import type { Operation } from "../../scripts/chaos/history.ts";
import type { Measures } from "../../scripts/chaos/measure.ts";
import { addUp, type Played, tally } from "../../scripts/chaos/report.ts";
import { renderRows, rowsOf } from "../../scripts/chaos/table.ts";
import { operation } from "./played.ts";

const NOTHING: Measures = { fromAfar: [], homecomings: [] };

const read = (tookMs: number, more: Partial<Operation> = {}) =>
  operation({ kind: "read", sentMs: 0, headMs: tookMs, ...more });

function tallied(operations: readonly Operation[], more: Partial<Played> = {}) {
  return tally({ operations, findings: [], measures: NOTHING, baseline: [], ...more });
}

const rowOf = (phase: string, ...runs: ReturnType<typeof tallied>[]) =>
  rowsOf(addUp(runs)).find((row) => row.phase === phase);

describe("the figures of a chaos run", () => {
  it("are added up over seeds, phase by phase, and then over all phases", () => {
    const runs = [tallied([read(10), read(10, { phase: "drain" })]), tallied([read(10), read(10)])];
    assert.deepEqual(
      rowsOf(addUp(runs)).map(({ phase, reads }) => [phase, reads]),
      [
        ["calm", 3],
        ["drain", 1],
        ["all", 4],
      ],
    );
  });

  it("take quantiles of all requests together, not of those of each run", () => {
    const fast = tallied([read(1), read(2), read(3), read(4)]);
    assert.equal(rowOf("all", fast, tallied([read(500)]))?.readP50Ms, 3);
  });

  it("tell what was declared from what was broken, in the phase of the request that shows it", () => {
    const [broken, declared] = [read(10), read(10, { phase: "drain" })];
    const finding = (of: Operation, pardon: Finding["pardon"]): Finding => ({
      ...{ kind: "stale", operation: of, because: null, pardon },
    });
    const run = tallied([broken, declared], {
      findings: [finding(broken, null), finding(declared, "read-said")],
    });
    const of = (phase: string) => [rowOf(phase, run)?.stale, rowOf(phase, run)?.staleDeclared];
    assert.deepEqual(
      [of("calm"), of("drain"), of("all")],
      [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
    );
  });

  it("leave out of the latency what failed and what was slow on purpose", () => {
    const write = operation({ kind: "write", sentMs: 0, headMs: 40 });
    const slow = operation({ kind: "write", sentMs: 0, headMs: 4_000, uploadMs: 3_600 });
    const row = rowOf("all", tallied([read(10), read(900, { status: 503 }), write, slow]));
    assert.deepEqual([row?.readP99Ms, row?.writeP99Ms, row?.writes, row?.failed], [10, 40, 2, 1]);
  });

  it("say what was added to mode off in the same phase, and nothing where none was played", () => {
    const run = tallied([read(25), read(90, { phase: "drain" })], { baseline: [read(10)] });
    assert.equal(rowOf("calm", run)?.addedReadP50Ms, 15);
    assert.equal(rowOf("drain", run)?.addedReadP50Ms, null);
  });

  it("are shares of the reads from afar, and a dash where there were none", () => {
    const one = read(10);
    const measured = { read: one, byWriter: true, bound: false, homeBehind: true, inWindow: true };
    const fromAfar = [measured, { ...measured, byWriter: false }, { ...measured, homeBehind: false }];
    const run = tallied([one, read(10, { phase: "drain" })], { measures: { ...NOTHING, fromAfar } });
    const row = rowOf("calm", run);
    assert.deepEqual([row?.byWriterPercent, row?.leastPercent, row?.homeBehindPercent], [66.7, 0, 66.7]);
    assert.match(renderRows(rowsOf(run)), /^drain +- +- /m);
  });

  it("show what was added only when it was measured", () => {
    assert.doesNotMatch(renderRows(rowsOf(tallied([read(10)]))), /\+read/);
    assert.match(renderRows(rowsOf(tallied([read(10)], { baseline: [read(5)] }))), /\+read/);
  });
});
