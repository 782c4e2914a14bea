import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { check, type Mode, type Terms, violations } from "../../scripts/chaos/checker.ts";
import type { Execution, Operation } from "../../scripts/chaos/history.ts";

const STRICT: Terms = {
  mode: "strict",
  stalenessMs: 500,
  outcomeUnknown: ({ phase }) => phase === "region-fault",
  unrecordable: ({ phase }) => phase === "redis-fault",
};

const under = (mode: Mode): Terms => ({ ...STRICT, mode });

let made = 0;

/** A request that was served in 10 ms, unless something else is said. */
function operation(given: Partial<Operation> & Pick<Operation, "kind" | "sentMs">): Operation {
  made += 1;
  return {
    id: `op-${made}`,
    user: "ada",
    device: "browser-1",
    edge: "edge-1",
    key: "ada-0",
    phase: "calm",
    headMs: given.sentMs + 10,
    status: 200,
    fault: null,
    version: 0,
    region: "us-east",
    reason: null,
    consistency: null,
    cut: null,
    recorded: null,
    ...given,
  };
}

const write = (sentMs: number, version: number, more: Partial<Operation> = {}) =>
  operation({ kind: "write", sentMs, version, ...more });
const read = (sentMs: number, version: number, more: Partial<Operation> = {}) =>
  operation({ kind: "read", sentMs, version, ...more });
/** Nobody got an answer. */
const LOST = { headMs: null, status: null, version: null } as const;

function found(operations: readonly Operation[], terms = STRICT, executions: readonly Execution[] = []) {
  return check({ operations, executions }, terms).map(({ kind, pardon }) => [kind, pardon]);
}

function ledger(executed: Operation, version: number): Execution {
  return { operation: executed.id, key: executed.key, version };
}

describe("the checker: read your writes", () => {
  it("finds a read without a write whose head had arrived before the read was sent, on any client", () => {
    const seen = found([write(0, 1), read(10, 0, { device: "bare", edge: "edge-2" })]);
    assert.deepEqual(seen, [["stale", null]]);
  });

  it("lets a read miss a write whose head arrived later, and a write of another key", () => {
    assert.deepEqual(found([write(0, 1), read(9, 0), write(0, 1, { key: "bob-0" }), read(20, 1)]), []);
  });

  it("lets a read miss a write whose answer nobody got", () => {
    assert.deepEqual(found([write(0, 1, LOST), read(50, 0)]), []);
  });

  it("names the newest write that is missing", () => {
    const [first, second] = [write(0, 1), write(20, 2)];
    const [finding] = check({ operations: [first, second, read(40, 0)], executions: [] }, STRICT);
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

  it("finds a head that said nothing while Redis had no pin", () => {
    assert.deepEqual(found([write(0, 1, { recorded: false })]), [["head-unrecorded", null]]);
    assert.deepEqual(found([write(0, 1, { recorded: true }), write(20, 2)]), []);
  });

  it("calls only what nothing pardons a violation", () => {
    const operations = [write(0, 1), read(20, 0, { consistency: "degraded" }), read(20, 0)];
    assert.equal(check({ operations, executions: [] }, STRICT).length, 2);
    assert.equal(violations(check({ operations, executions: [] }, STRICT)).length, 1);
  });
});
