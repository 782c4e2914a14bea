import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { check, type Mode, type Terms, violations } from "../../scripts/chaos/checker.ts";
import type { ClockOffset, Execution, Operation } from "../../scripts/chaos/history.ts";
import { executionOf, historyOf, operation } from "./played.ts";

const STRICT: Terms = {
  mode: "strict",
  stalenessMs: 500,
  windowMs: 3_000,
  skewMs: 5_000,
  outcomeUnknown: ({ phase }) => phase === "region-fault",
  unrecordable: ({ phase }) => phase === "redis-fault",
};

const under = (mode: Mode): Terms => ({ ...STRICT, mode });

const write = (sentMs: number, version: number, more: Partial<Operation> = {}) =>
  operation({ kind: "write", sentMs, version, ...more });
const read = (sentMs: number, version: number, more: Partial<Operation> = {}) =>
  operation({ kind: "read", sentMs, version, ...more });
/** Nobody got an answer. */
const LOST = { headMs: null, status: null, version: null } as const;

function found(operations: readonly Operation[], terms = STRICT, executions: readonly Execution[] = []) {
  return check(historyOf({ operations, executions }), terms).map(({ kind, pardon }) => [kind, pardon]);
}

function ledger(executed: Operation, version: number, more: Partial<Execution> = {}): Execution {
  return executionOf(executed, { version, ...more });
}

describe("the checker: read your writes", () => {
  it("finds a read without a write whose head had arrived before the read was sent, on any client", () => {
    const seen = found([write(0, 1), read(10, 0, { device: "bare", edge: "edge-2" })]);
    assert.deepEqual(seen, [["stale", null]]);
  });

  it("lets a read miss a write whose head arrived later", () => {
    assert.deepEqual(found([write(0, 1), read(9, 0)]), []);
  });

  it("finds a read about something else from a region that lacked the write, and lets one be that had it", () => {
    const written = write(0, 1);
    const elsewhere = read(20, 0, { key: "ada-1", region: "eu-west" });
    const of = (more: Partial<Execution>) => found([written, elsewhere], STRICT, [ledger(written, 1, more)]);
    assert.deepEqual(of({}), [["stale", null]]);
    assert.deepEqual(of({ appliedAtMs: { "eu-west": 31 } }), [["stale", null]]);
    assert.deepEqual(of({ appliedAtMs: { "eu-west": 29 } }), []);
    assert.deepEqual(of({ lostAtMs: 10 }), []);
    const others = read(20, 0, { key: "bob-0", user: "bob", region: "eu-west" });
    assert.deepEqual(found([written, others], STRICT, [ledger(written, 1)]), []);
  });

  it("lets a read miss a write whose answer nobody got", () => {
    assert.deepEqual(found([write(0, 1, LOST), read(50, 0)]), []);
  });

  it("names the newest write that is missing", () => {
    const [first, second] = [write(0, 1), write(20, 2)];
    const [finding] = check(historyOf({ operations: [first, second, read(40, 0)] }), STRICT);
    assert.equal(finding?.because, second);
  });

  it("pardons a stale read that says that it may be stale", () => {
    const seen = found([write(0, 1), read(20, 0, { consistency: "degraded" })]);
    assert.deepEqual(seen, [["stale", "read-said"]]);
  });

  it("pardons other clients, but not the browser that wrote, after a write that said cookie-only", () => {
    const unrecorded = write(0, 1, { consistency: "cookie-only" });
    assert.deepEqual(found([unrecorded, read(20, 0, { device: "browser-2" })]), [["stale", "write-said"]]);
    assert.deepEqual(found([unrecorded, read(20, 0)]), [["stale", null]]);
  });

  it("pardons no client without cookies for being the one that wrote", () => {
    const unrecorded = write(0, 1, { consistency: "cookie-only", device: "bare" });
    assert.deepEqual(found([unrecorded, read(20, 0, { device: "bare" })]), [["stale", "write-said"]]);
  });

  it("holds a silent write against a read even when a later one said cookie-only", () => {
    const writes = [write(0, 1), write(20, 2, { consistency: "cookie-only" })];
    assert.deepEqual(found([...writes, read(40, 1, { device: "bare" })]), [["stale", "write-said"]]);
    assert.deepEqual(found([...writes, read(40, 0, { device: "bare" })]), [["stale", null]]);
  });

  it("judges each mode by what it promises", () => {
    const others = [write(0, 1), read(20, 0, { device: "browser-2" })];
    const own = [write(0, 1), read(20, 0)];
    const late = [write(0, 1), read(600, 0, { device: "browser-2" })];
    assert.deepEqual(found(others, under("bounded")), [["stale", "not-promised"]]);
    assert.deepEqual(found(late, under("bounded")), [["stale", null]]);
    assert.deepEqual(found(own, under("bounded")), [["stale", null]]);
    assert.deepEqual(found(late, under("cookie")), [["stale", "not-promised"]]);
    assert.deepEqual(found(own, under("cookie")), [["stale", null]]);
    assert.deepEqual(found(own, under("off")), [["stale", "not-promised"]]);
  });
});

describe("the checker: monotonic reads", () => {
  const lost = write(0, 1, LOST);
  const back = [read(10, 1), read(30, 0, { device: "bare" })];

  it("finds a read older than one that was answered before it was sent, though the write was never answered", () => {
    assert.deepEqual(found([lost, ...back], STRICT, [ledger(lost, 1)]), [["not-monotonic", null]]);
  });

  it("lets reads overlap", () => {
    assert.deepEqual(found([read(10, 1), read(19, 0)]), []);
  });

  it("pardons what an unanswered write left behind where it could not be recorded", () => {
    const hidden = { ...lost, phase: "redis-fault" };
    const seen = found([hidden, ...back], STRICT, [ledger(hidden, 1)]);
    assert.deepEqual(seen, [["not-monotonic", "unanswered"]]);
  });

  it("pardons what said that it may be so, and the modes that do not promise it", () => {
    const said = write(0, 1, { consistency: "cookie-only" });
    const pardons = (operations: readonly Operation[], terms = STRICT) =>
      found(operations, terms, [ledger(said, 1)]).filter(([kind]) => kind === "not-monotonic");
    assert.deepEqual(pardons([said, ...back]), [["not-monotonic", "write-said"]]);
    assert.deepEqual(pardons([read(10, 1), read(30, 0, { consistency: "stale" })]), [
      ["not-monotonic", "read-said"],
    ]);
    assert.deepEqual(pardons(back, under("cookie")), [["not-monotonic", "not-promised"]]);
  });
});

describe("the checker: promotions", () => {
  const written = write(0, 7);
  const lost = ledger(written, 7, { lostAtMs: 500 });

  it("finds a read that lacks a lost write and does not say so, while its user is pinned", () => {
    assert.deepEqual(found([written, read(1_000, 3)], STRICT, [lost]), [["stale", null]]);
    const said = read(1_000, 3, { consistency: "lost" });
    assert.deepEqual(found([written, said], STRICT, [lost]), [["stale", "read-said"]]);
  });

  it("pardons it when the pin is over, but never a write that no promotion lost", () => {
    assert.deepEqual(found([written, read(4_000, 3)], STRICT, [lost]), [["stale", "lost-long-ago"]]);
    assert.deepEqual(found([written, read(4_000, 3)], STRICT, [ledger(written, 7)]), [["stale", null]]);
  });

  it("holds an older write that was not lost against a read that lacks both", () => {
    const kept = write(0, 5);
    const seen = check(
      historyOf({ operations: [kept, written, read(4_000, 3)], executions: [lost, ledger(kept, 5)] }),
      STRICT,
    );
    assert.deepEqual(
      seen.map(({ because, pardon }) => [because?.id, pardon]),
      [[kept.id, null]],
    );
  });

  it("lets what comes after a promotion stand for what it lost", () => {
    const next = write(1_000, 8);
    assert.deepEqual(found([written, next, read(2_000, 8)], STRICT, [lost, ledger(next, 8)]), []);
  });

  it("pardons reads that go back behind a lost write that was never answered", () => {
    const unanswered = write(0, 7, LOST);
    const seen = [unanswered, read(100, 7), read(1_000, 3)];
    const gone = ledger(unanswered, 7, { lostAtMs: 500 });
    assert.deepEqual(found(seen, STRICT, [gone]), [["not-monotonic", "unanswered"]]);
  });
});

describe("the checker: clocks", () => {
  const off = (edge: string, offsetMs: number): ClockOffset => ({ edge, offsetMs, fromMs: 0, toMs: 9_000 });
  const written = write(0, 1);
  const stale = read(20, 0, { edge: "edge-2" });
  const pardons = (clocks: readonly ClockOffset[], operations = [written, stale], mode: Mode = "cookie") =>
    check(historyOf({ operations, clocks }), under(mode))
      .filter(({ kind }) => kind === "stale")
      .map(({ pardon }) => pardon);

  it("pardons in mode cookie a reader whose edge is further ahead of the token's than a token allows", () => {
    assert.deepEqual(pardons([off("edge-1", -3_000), off("edge-2", 3_000)]), ["clocks"]);
    assert.deepEqual(pardons([off("edge-1", -2_000), off("edge-2", 2_000)]), [null]);
    assert.deepEqual(pardons([off("edge-1", 30_000), off("edge-2", 0)]), [null]);
  });

  it("pardons it in no other mode, and not when the clocks were set before or after", () => {
    assert.deepEqual(pardons([off("edge-1", -30_000)], [written, stale], "strict"), [null]);
    const before = { ...off("edge-1", -30_000), fromMs: -200, toMs: -100 };
    assert.deepEqual(pardons([before]), [null]);
  });

  it("looks at the token that the browser holds, which is that of its last write", () => {
    const next = write(15, 9, { key: "ada-1", edge: "edge-3", headMs: 18 });
    assert.deepEqual(pardons([off("edge-3", -30_000)], [written, next, stale]), ["clocks"]);
    assert.deepEqual(pardons([off("edge-1", -30_000)], [written, next, stale]), [null]);
  });
});

describe("the checker: writes", () => {
  it("finds a write that was executed twice", () => {
    const twice = write(0, 2);
    assert.deepEqual(found([twice], STRICT, [ledger(twice, 1), ledger(twice, 2)]), [
      ["executed-twice", null],
    ]);
  });

  it("finds a 5xx for a write that was executed", () => {
    const failed = write(0, 0, { status: 503, version: null, fault: "pin_unrecorded" });
    assert.deepEqual(found([failed], STRICT, [ledger(failed, 1)]), [["error-after-commit", null]]);
    assert.deepEqual(found([failed]), []);
  });

  it("pardons a reset or a time-out only where the region was cut off or broken", () => {
    const reset = { status: 502, version: null, fault: "reset" } as const;
    const of = (more: Partial<Operation>) => {
      const failed = write(0, 0, { ...reset, ...more });
      return found([failed], STRICT, [ledger(failed, 1)]);
    };
    assert.deepEqual(of({}), [["error-after-commit", null]]);
    assert.deepEqual(of({ cut: "region" }), [["error-after-commit", "region-broken"]]);
    assert.deepEqual(of({ phase: "region-fault" }), [["error-after-commit", "region-broken"]]);
    assert.deepEqual(of({ phase: "region-fault", fault: "internal" }), [["error-after-commit", null]]);
  });

  it("pardons a reset of a write that was under way when a region went away", () => {
    const failed = write(0, 0, { status: 502, version: null, fault: "reset" });
    const wentAway = (fromMs: number) => {
      const outages = [{ region: "us-east", fromMs, toMs: null }];
      const history = historyOf({ operations: [failed], executions: [ledger(failed, 1)], outages });
      return check(history, STRICT).map(({ pardon }) => pardon);
    };
    assert.deepEqual(wentAway(failed.sentMs + 1), ["region-broken"]);
    assert.deepEqual(wentAway((failed.headMs ?? 0) + 1), [null]);
  });

  it("finds a head that said nothing while Redis had no pin", () => {
    assert.deepEqual(found([write(0, 1, { recorded: false })]), [["head-unrecorded", null]]);
    assert.deepEqual(found([write(0, 1, { recorded: true }), write(20, 2)]), []);
    const inMode = (mode: Mode) => found([write(0, 1, { recorded: false })], under(mode)).length;
    assert.deepEqual([inMode("bounded"), inMode("cookie"), inMode("off")], [1, 0, 0]);
  });

  it("calls only what nothing pardons a violation", () => {
    const operations = [write(0, 1), read(20, 0, { consistency: "degraded" }), read(20, 0)];
    assert.equal(check(historyOf({ operations }), STRICT).length, 2);
    assert.equal(violations(check(historyOf({ operations }), STRICT)).length, 1);
  });
});
