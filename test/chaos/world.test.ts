import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RegionCopy } from "../../scripts/chaos/region-copy.ts";
import { WriteLog } from "../../scripts/chaos/write-log.ts";
import { eventually } from "../support/eventually.ts";

/** A log of three writes of one key, and a copy that has the first only. */
function behindByTwo() {
  const log = new WriteLog("us-east");
  const copy = new RegionCopy("eu-west", log);
  log.append("op-1", "a");
  copy.catchUp();
  log.append("op-2", "a");
  log.append("op-3", "a");
  return { log, copy };
}

describe("the write log of the chaos world", () => {
  it("loses what lies beyond the position of a promotion, and uses its positions again but never its versions", () => {
    const { log, copy } = behindByTwo();
    log.promote("eu-west", copy.position);
    const next = log.append("op-4", "a");
    assert.deepEqual([next.epoch, next.position, next.version], [2, 2, 4]);
    assert.deepEqual(
      log.executions.map(({ operation, lostAtMs }) => [operation, lostAtMs !== null]),
      [
        ["op-1", false],
        ["op-2", true],
        ["op-3", true],
        ["op-4", false],
      ],
    );
    assert.deepEqual(
      log.reigns.map(({ epoch, writer }) => [epoch, writer]),
      [
        [1, "us-east"],
        [2, "eu-west"],
      ],
    );
  });

  it("takes a region that was further back to where the next epoch begins", () => {
    const { log, copy } = behindByTwo();
    log.append("op-of-another-key", "b");
    const further = new RegionCopy("us-east", log);
    further.catchUp();
    assert.deepEqual([further.version("a"), further.version("b")], [3, 4]);
    log.promote("eu-west", copy.position);
    further.rewind();
    assert.deepEqual([further.position, further.version("a"), further.version("b")], [1, 1, 0]);
    log.append("op-4", "a");
    further.catchUp();
    assert.deepEqual([further.position, further.version("a")], [2, 5]);
  });

  it("carries a write to a copy when its lag is over, and says when", async () => {
    const { log, copy } = behindByTwo();
    copy.lagMs = 50;
    copy.follow();
    await eventually(() => copy.position === 3);
    const [, second] = log.executions;
    assert.ok((second?.appliedAtMs["eu-west"] ?? 0) >= (second?.atMs ?? 0) + 50);
    assert.ok(copy.observedLagMs >= 50);
  });

  it("applies nothing while a copy is frozen", async () => {
    const { copy } = behindByTwo();
    copy.freeze();
    copy.follow();
    assert.equal(copy.position, 1);
    copy.thaw();
    await eventually(() => copy.position === 3);
  });
});
