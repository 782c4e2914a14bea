import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Operation } from "../../scripts/chaos/history.ts";
import type { Evidence } from "../../scripts/failover/evidence.ts";
import { judge } from "../../scripts/failover/judge.ts";
import type { Entry } from "../../scripts/failover/ledger.ts";
import type { Promises } from "../../scripts/failover/scenario.ts";
import type { FailoverWorldRecord } from "../../scripts/failover/world-record.ts";

/** Broken at 1,000, moved at 2,000, settled at 2,100. */
const MOVED: Partial<FailoverWorldRecord> = {
  reigns: [
    { epoch: 1, writer: "us-east", fromMs: 0 },
    { epoch: 2, writer: "eu-west", fromMs: 2_000 },
  ],
  outages: [{ region: "us-east", fromMs: 1_000, toMs: null }],
};
const PLANNED: Promises = { noneFails: true, losesNothing: true, moves: [1], writer: "eu-west" };
const EMERGENCY: Promises = { noneFails: false, losesNothing: false, moves: [1] };

let count = 0;

function operation(about: Partial<Operation>): Operation {
  count += 1;
  const sentMs = about.sentMs ?? 2_500;
  return {
    id: `op-${count}`,
    user: "alice",
    device: "bare",
    edge: "edge-1",
    home: "",
    kind: "write",
    key: "alice",
    phase: "",
    uploadMs: 0,
    sentMs,
    headMs: sentMs + 20,
    status: 200,
    fault: null,
    version: count,
    region: "eu-west",
    reason: "write",
    consistency: null,
    cut: null,
    recorded: null,
    ...about,
  };
}

function executionOf({ id, key, sentMs, version }: Operation, about: Partial<Entry> = {}): Entry {
  return {
    operation: id,
    key,
    version: version ?? 0,
    region: sentMs < 2_000 ? "us-east" : "eu-west",
    epoch: sentMs < 2_000 ? 1 : 2,
    position: 1,
    atMs: sentMs + 10,
    appliedAtMs: {},
    lostAtMs: null,
    ...about,
  };
}

function judged(
  operations: readonly Operation[],
  promises: Promises,
  {
    record = {},
    ...more
  }: { record?: Partial<FailoverWorldRecord> } & Partial<Omit<Evidence, "record">> = {},
) {
  const writes = operations.filter(({ kind, status }) => kind === "write" && status === 200);
  const world = {
    executions: writes.map((write) => executionOf(write)),
    reigns: [],
    outages: [],
    hookCalls: [],
  };
  return judge(
    {
      ...{
        operations,
        lateMs: 0,
        record: { ...world, ...MOVED, ...record },
        missed: [],
        sightings: [],
        killedAtMs: new Map(),
      },
      ...{ firstWriter: "us-east", lastWriter: "eu-west", brokenAtMs: 1_000, settledAtMs: 2_100, ...more },
    },
    promises,
  );
}

describe("the judge of the failover proof", () => {
  it("finds nothing wrong with a move in which everything was answered", () => {
    const { broken, figures } = judged([operation({ sentMs: 900 }), operation({})], PLANNED);
    assert.deepEqual(broken, []);
    assert.deepEqual([figures.requests, figures.moves, figures.firstWriteMs], [2, 1, 1_520]);
  });

  it("lets nothing fail in a planned move but what a killed edge had", () => {
    const failed = operation({ sentMs: 1_500, status: 503, version: null, fault: "writer_down" });
    const cut = operation({ sentMs: 1_500, status: null, headMs: null, version: null, edge: "edge-2" });
    const { broken, figures, failures } = judged([failed, cut, operation({})], PLANNED, {
      killedAtMs: new Map([["edge-2", 1_600]]),
    });
    assert.deepEqual([figures.failed, figures.unanswered], [1, 1]);
    assert.deepEqual(broken, ["1 requests failed"]);
    assert.deepEqual(failures, { "write writer_down": 1 });
  });

  it("excuses failures of an emergency until all edges agree, and none after", () => {
    const down = { status: 503, version: null, fault: "writer_down" };
    const early = operation({ sentMs: 1_500, ...down });
    assert.deepEqual(judged([early, operation({})], EMERGENCY).broken, []);
    const late = operation({ sentMs: 2_700, ...down });
    assert.deepEqual(judged([late, operation({})], EMERGENCY).broken, [
      "1 requests failed when all was over",
    ]);
    const never = judged([early, operation({})], EMERGENCY, { settledAtMs: Number.POSITIVE_INFINITY });
    assert.deepEqual(never.broken, ["the edges never agreed"]);
  });

  it("asks that somebody takes writes in the end", () => {
    const operations = [operation({ sentMs: 900 }), operation({ kind: "read", sentMs: 4_000 })];
    assert.deepEqual(judged(operations, EMERGENCY).broken, ["no writes are taken in the end"]);
  });

  it("excuses a lost write only while its region was away", () => {
    const lost = operation({ sentMs: 900, user: "bob", key: "bob" });
    const other = operation({});
    const executions = [executionOf(lost, { lostAtMs: 2_000 }), executionOf(other)];
    assert.deepEqual(judged([lost, other], EMERGENCY, { record: { executions } }).broken, []);
    const present = judged([lost, other], EMERGENCY, { record: { executions, outages: [] } });
    assert.deepEqual(present.broken, ["1 writes are lost that could have been kept"]);
    const planned = judged([lost, other], PLANNED, { record: { executions } });
    assert.deepEqual(planned.broken, ["1 acknowledged writes are lost"]);
  });

  it("asks that whoever lost a write is told while his pin lasts", () => {
    const lost = operation({ sentMs: 900, user: "bob", key: "bob" });
    const other = operation({});
    const executions = [executionOf(lost, { lostAtMs: 2_000 }), executionOf(other)];
    const read = (about: Partial<Operation>) =>
      operation({ kind: "read", user: "bob", key: "bob", version: 0, sentMs: 2_400, ...about });
    const told = judged([lost, other, read({ consistency: "lost" })], EMERGENCY, { record: { executions } });
    assert.deepEqual([told.broken, told.figures.told, told.figures.lostUsersReading], [[], 1, 1]);
    const untold = judged([lost, other, read({})], EMERGENCY, { record: { executions } });
    assert.deepEqual(untold.broken, [
      "1 reads were stale and did not say so",
      "somebody who lost a write was not told",
    ]);
    const later = judged([lost, other, read({ sentMs: 6_500 }), operation({ sentMs: 6_500 })], EMERGENCY, {
      record: { executions },
    });
    assert.deepEqual(later.broken, []);
  });

  it("finds two writers of one epoch, and a region that writes after its time", () => {
    const [one, other] = [operation({}), operation({ sentMs: 2_600 })];
    const both = [executionOf(one), executionOf(other, { region: "us-east" })];
    const split = judged([one, other], EMERGENCY, { record: { executions: both } });
    assert.deepEqual(split.broken, ["two regions took writes in one epoch"]);
    const after = [executionOf(one), executionOf(other, { region: "us-east", epoch: 1 })];
    const fenced = judged([one, other], EMERGENCY, { record: { executions: after } });
    assert.deepEqual(fenced.broken, ["1 writes were taken in an epoch that was over"]);
    const late = operation({ sentMs: 1_900, status: 504, version: null, fault: "response_timeout" });
    const delivered = [executionOf(one), executionOf(late, { atMs: 2_900 })];
    assert.deepEqual(judged([one, late], EMERGENCY, { record: { executions: delivered } }).broken, []);
  });

  it("finds a write that was executed twice, an epoch that fell, and a hook that was called wrongly", () => {
    const one = operation({});
    const twice = [executionOf(one), executionOf(one, { position: 2 })];
    const body = { move: "m", from: "us-east", to: "eu-west", epoch: 2, position: null } as const;
    const asked = { ...body, automatic: false, forced: false, reason: "" };
    const call = { atMs: 1_500, answered: 400, body: asked, malformed: ["reason"] };
    const epoch = (to: number, atMs: number) =>
      ({ edge: "edge-1", atMs, what: "epoch", epoch: to, writeRegion: "eu-west" }) as const;
    const { broken } = judged([one], EMERGENCY, {
      record: { executions: twice, hookCalls: [call] },
      sightings: [epoch(2, 2_000), epoch(1, 2_050)],
    });
    assert.equal(broken.length, 3);
    assert.equal(broken[0], "1 writes were executed twice");
    assert.match(broken[1] ?? "", /^a wrong reason in /);
    assert.equal(broken[2], "edge-1 went back an epoch");
  });
});
