import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { edgeRows, type Member, workersText, writesText } from "../../src/console/edges.ts";

const member = (id: string, change: Partial<Member> = {}): Member => ({
  ...{
    id,
    worker: id.includes("/") ? Number(id.split("/")[1]) : null,
    self: false,
    live: true,
    seenMsAgo: 10,
  },
  ...{ version: "0.1.0", location: null, holdsWrites: false, writesUnderWay: 0, regions: {}, ...change },
});
const only = (...members: readonly Member[]) => {
  const [row, ...others] = edgeRows(members);
  assert.ok(row !== undefined && others.length === 0);
  return row;
};

describe("the edges of a fleet", () => {
  it("are in the order of their names, each with its workers", () => {
    const members = ["b/2", "edge-10", "b/1", "edge-2", "b"].map((id) => member(id));
    const names = edgeRows(members).map(({ edge, workers }) => [edge.id, ...workers.map(({ id }) => id)]);
    assert.deepEqual(names, [["b", "b/1", "b/2"], ["edge-2"], ["edge-10"]]);
  });

  it("show a worker by itself when nobody has heard of its edge", () => {
    assert.equal(only(member("b/1")).edge.id, "b/1");
  });

  it("say how many workers there are, and which of them are silent", () => {
    assert.equal(workersText(only(member("b"))), null);
    assert.equal(workersText(only(member("b"), member("b/1"), member("b/2"))), "2 workers");
    const silent = member("b/2", { live: false });
    assert.equal(workersText(only(member("b"), member("b/1"), silent)), "2 workers, silent: 2");
  });

  it("have the writes of their workers, and hold when all of these do", () => {
    const busy = member("b/1", { writesUnderWay: 3 });
    const holding = member("b/2", { holdsWrites: true, writesUnderWay: 1 });
    assert.equal(writesText(only(member("b", { writesUnderWay: 2 }))), "2 under way");
    assert.equal(writesText(only(member("b"), busy, member("b/2"))), "3 under way");
    assert.equal(writesText(only(member("b"), busy, holding)), "4 under way, 1 of 2 hold");
    assert.equal(writesText(only(member("b"), holding)), "held");
  });
});
