import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventBus } from "../../src/events.ts";
import type { Drill } from "../../src/fleet/drill.ts";
import { DrillHistory } from "../../src/fleet/drill-history.ts";
import type { EdgeDrill } from "../../src/fleet/drill-report.ts";
import { DrillStore } from "../../src/fleet/drill-store.ts";
import { DrillSupervisor } from "../../src/fleet/drill-supervisor.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";
import type { Said } from "../../src/fleet/shared-hash.ts";
import { RULES, viewOf } from "./routing-world.ts";

const DRILL: Drill = {
  ...{ id: "d1", region: "eu", kind: "drain", who: "ops", reason: "weekly", forced: false, by: "me:lone" },
  ...{
    leaseUntilMs: 0,
    sinceMs: 0,
    untilMs: 0,
    abortAbove: { errorRatio: 0.01 },
    writeRegion: "us",
    epoch: 1,
  },
  ...{ window: null, end: null },
};

const measured = (id: string, requests: number): EdgeDrill => ({
  ...{ id, over: false, requests, lost: 1, retried: 0, sessionsMoved: 0, pinsMoved: 0 },
  ...{ detectMs: 1, shiftMs: 1, troubleMs: 1, recoveryMs: null, firstWriteMs: null },
});

/** The memory of a fleet whose other edges say what a test wants. */
class FleetHash extends MemoryHash {
  readonly others = new Map<string, EdgeDrill | null>();

  override edges(): ReadonlyMap<string, Said> {
    const said = [...this.others].map(
      ([key, drill]) => [key, { atMs: this.nowMs(), text: JSON.stringify({ drill }) }] as const,
    );
    return new Map([...super.edges(), ...said]);
  }
}

describe("what a supervisor knows of a drill", () => {
  it("is what every edge has last said of it, also those that have stopped since", () => {
    const hash = new FleetHash("me");
    const supervisor = new DrillSupervisor({
      ...{ events: new EventBus(), hash, store: new DrillStore(hash), history: new DrillHistory(hash) },
      own: () => measured("d1", 10),
      writes: () => ({ writer: "us", epoch: 1, move: null }),
      setting: () => ({ view: viewOf(), rules: RULES }),
    });
    const counts = () => supervisor.measured(DRILL).map(({ edge, requests }) => `${edge} ${requests}`);
    hash.others.set("stops:x", measured("d1", 20)).set("other:y", measured("d0", 30)).set("none:z", null);
    assert.deepEqual(counts(), ["me 10", "stops 20"]);
    hash.others.set("stops:x", measured("d1", 25));
    assert.deepEqual(counts(), ["me 10", "stops 25"]);
    hash.others.delete("stops:x");
    assert.deepEqual(counts(), ["me 10", "stops 25"]);
    assert.deepEqual(
      supervisor.measured({ ...DRILL, id: "d0" }).map(({ edge }) => edge),
      ["other"],
    );
  });
});
