import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Database } from "../../scripts/failover/database.ts";
import { Ledger } from "../../scripts/failover/ledger.ts";
import { PeerDatabase } from "../../scripts/failover/peer-database.ts";

/** Three writes at home, of which the replica has the first. */
function behindByTwo() {
  const ledger = new Ledger();
  const [us, eu] = [new Database("us-east", true, ledger), new Database("eu-west", false, ledger)];
  us.commit("op-1", "a");
  eu.follow(us);
  us.commit("op-2", "a");
  us.commit("op-3", "b");
  return { ledger, us, eu };
}

describe("the databases of the failover proof", () => {
  it("copy what was written when its lag is over, and not before", () => {
    const { us, eu } = behindByTwo();
    eu.replicationMs = 60_000;
    eu.follow(us);
    assert.deepEqual([eu.position, eu.version("a"), eu.version("b")], [1, 1, 0]);
    eu.replicationMs = 0;
    eu.follow(us);
    assert.deepEqual([eu.position, eu.version("a"), eu.version("b")], [3, 2, 3]);
  });

  it("may both take writes at once, in one epoch, and the ledger has each", () => {
    const { ledger, us, eu } = behindByTwo();
    eu.promote(1);
    eu.commit("op-4", "a");
    us.commit("op-5", "a");
    const seen = ledger.executions.slice(3).map(({ region, epoch, position }) => [region, epoch, position]);
    assert.deepEqual(seen, [
      ["eu-west", 1, 2],
      ["us-east", 1, 4],
    ]);
  });

  it("forget what the new writer does not have when they come back as its replicas", () => {
    const { ledger, us, eu } = behindByTwo();
    eu.promote(2);
    eu.commit("op-4", "c");
    ledger.lose((entry) => eu.has(entry));
    us.become(eu);
    assert.deepEqual([us.takesWrites, us.epoch, us.position, us.version("b")], [false, 2, 1, 0]);
    us.follow(eu);
    assert.deepEqual([us.position, us.version("c")], [2, 4]);
    const lost = ledger.executions.filter(({ lostAtMs }) => lostAtMs !== null);
    assert.deepEqual(
      lost.map(({ operation }) => operation),
      ["op-2", "op-3"],
    );
  });

  it("where all take writes give each other theirs, and the newer of two wins", () => {
    const ledger = new Ledger();
    const [us, eu] = [new PeerDatabase("us-east", ledger), new PeerDatabase("eu-west", ledger)];
    us.commit("op-1", "a");
    eu.commit("op-2", "a");
    us.follow(eu);
    eu.follow(us);
    assert.deepEqual([us.version("a"), eu.version("a")], [2, 2]);
    assert.ok(ledger.executions.every((entry) => us.has(entry) && eu.has(entry)));
  });
});
