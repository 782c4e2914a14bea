import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { History, Operation } from "../../scripts/chaos/history.ts";
import { measure } from "../../scripts/chaos/measure.ts";
import { executionOf, historyOf, operation } from "./played.ts";

const TIMES = { windowMs: 3_000, intentMs: 7_000 };

const written = operation({ kind: "write", sentMs: 0, version: 1 });
/** eu-west had it after a second, ap-south after two. */
const execution = executionOf(written, {
  appliedAtMs: { "us-east": 5, "eu-west": 1_000, "ap-south": 2_000 },
});
const read = (sentMs: number, more: Partial<Operation> = {}) =>
  operation({ kind: "read", sentMs, version: 1, ...more });

function measured(operations: readonly Operation[], more: Partial<History> = {}) {
  return measure(historyOf({ operations, executions: [execution], ...more }), TIMES);
}

function boundAt(sentMs: number, more: Partial<History> = {}) {
  return measured([written, read(sentMs)], more).fromAfar.map(({ bound }) => bound)[0];
}

describe("what a read from afar had to cost", () => {
  it("is bound to the writer until any replica has what its user knows of", () => {
    assert.deepEqual(
      [500, 999, 1_001].map((sentMs) => boundAt(sentMs)),
      [true, true, false],
    );
  });

  it("is bound by what was seen, whoever got the answer, and not by what nobody knows of", () => {
    const unanswered = { ...written, headMs: null, status: null, version: null };
    const boundAfter = (...before: readonly Operation[]) =>
      measured([unanswered, ...before, read(500)]).fromAfar.at(-1)?.bound;
    assert.equal(boundAfter(), false);
    assert.equal(boundAfter(read(100)), true);
    assert.equal(boundAfter(read(100, { version: 0 })), false);
  });

  it("asks only regions that are in service, and never the writer of the time", () => {
    assert.equal(boundAt(1_500, { outages: [{ region: "eu-west", fromMs: 1_200, toMs: null }] }), undefined);
    const elsewhere = measured([written, read(1_500, { home: "ap-south" })], {
      outages: [{ region: "eu-west", fromMs: 1_200, toMs: null }],
    });
    assert.equal(elsewhere.fromAfar[0]?.bound, true);
    const reigns = [
      { epoch: 1, writer: "us-east", fromMs: 0 },
      { epoch: 2, writer: "eu-west", fromMs: 1_100 },
    ];
    const moved = measured([written, read(1_500, { home: "ap-south", region: "eu-west" })], { reigns });
    assert.deepEqual(
      moved.fromAfar.map(({ bound, byWriter }) => [bound, byWriter]),
      [[false, true]],
    );
  });

  it("tells what its home lacked from what every replica lacked", () => {
    const [far] = measured([written, read(1_500, { home: "ap-south" })]).fromAfar;
    assert.deepEqual([far?.bound, far?.homeBehind], [false, true]);
  });

  it("knows nothing of what a promotion has lost", () => {
    assert.equal(boundAt(500, { executions: [{ ...execution, lostAtMs: 400 }] }), false);
  });

  it("leaves out who is at home with the writer", () => {
    assert.deepEqual(measured([written, read(500, { home: "us-east" })]).fromAfar, []);
  });

  it("lies in the window from the sending of a write until the window after its head", () => {
    const inWindow = (sentMs: number) => measured([written, read(sentMs)]).fromAfar[0]?.inWindow;
    assert.deepEqual([0, 3_009, 3_011].map(inWindow), [true, true, false]);
  });

  it("lies in it for the time of an intent after a write whose outcome nobody knows", () => {
    const unanswered = { ...written, headMs: null, status: null, version: null };
    const inWindow = (sentMs: number) => measured([unanswered, read(sentMs)]).fromAfar[0]?.inWindow;
    assert.deepEqual([7_004, 7_006].map(inWindow), [true, false]);
  });
});

describe("the time until a user is home again", () => {
  const away = { region: "eu-west" } as const;
  const last = read(9_000);

  it("is that from a write's head to the first read that a replica serves, on any client", () => {
    const { homecomings } = measured([written, read(100), read(1_200, { ...away, device: "bare" }), last]);
    assert.deepEqual(
      homecomings.map(({ afterMs }) => afterMs),
      [1_190],
    );
  });

  it("does not count who was never held, being at home with the writer", () => {
    const { homecomings } = measured([
      written,
      read(50, { ...away, home: "us-east" }),
      read(1_200, away),
      last,
    ]);
    assert.deepEqual(
      homecomings.map(({ afterMs }) => afterMs),
      [1_190],
    );
  });

  it("is at least the time that was seen when nobody comes home", () => {
    const { homecomings } = measured([written, read(1_200), last]);
    assert.deepEqual(
      homecomings.map(({ afterMs }) => afterMs),
      [8_990],
    );
  });

  it("leaves out a write that another follows within two windows, though somebody came home before", () => {
    const next = operation({ kind: "write", sentMs: 5_000, version: 2 });
    assert.deepEqual(measured([written, read(1_200, away), next]).homecomings, []);
  });
});
