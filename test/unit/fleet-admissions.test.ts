import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AdmissionRecord, AdmissionStore } from "../../src/fleet/admissions.ts";
import { MemoryHash } from "../../src/fleet/memory-hash.ts";

const DRAINING: AdmissionRecord = {
  state: "draining",
  reason: "maintenance",
  by: "ops",
  sinceWallMs: 1,
  deadlineWallMs: 600_001,
};

describe("the admissions of a lone edge", () => {
  it("are none to begin with", async () => {
    const store = new AdmissionStore(new MemoryHash());
    assert.equal(store.get().size, 0);
  });

  it("are what was last said of each region", async () => {
    const store = new AdmissionStore(new MemoryHash());
    await store.set("eu-west", DRAINING);
    await store.set("us-east", DRAINING);
    await store.set("eu-west", { ...DRAINING, state: "open" });
    assert.equal(store.get().get("eu-west")?.state, "open");
    assert.equal(store.get().get("us-east")?.state, "draining");
  });

  it("are replaced whole, so that whoever holds them sees no change", async () => {
    const store = new AdmissionStore(new MemoryHash());
    const before = store.get();
    await store.set("eu-west", DRAINING);
    assert.equal(before.size, 0);
  });

  it("are changed only after the word that is the last, when asked for that", async () => {
    const store = new AdmissionStore(new MemoryHash());
    assert.equal(await store.setAfter("eu-west", DRAINING, DRAINING), false);
    assert.equal(await store.setAfter("eu-west", undefined, DRAINING), true);
    assert.equal(await store.setAfter("eu-west", undefined, DRAINING), false);
    assert.equal(await store.setAfter("eu-west", DRAINING, { ...DRAINING, state: "open" }), true);
    assert.equal(store.get().get("eu-west")?.state, "open");
  });

  it("are told to whoever listens, until it listens no more", async () => {
    const store = new AdmissionStore(new MemoryHash());
    const heard: number[] = [];
    const stop = store.onChange((admissions) => heard.push(admissions.size));
    await store.set("eu-west", DRAINING);
    stop();
    await store.set("us-east", DRAINING);
    assert.deepEqual(heard, [1]);
  });
});
