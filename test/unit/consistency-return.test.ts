import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { configSchema } from "../../src/config/schema.ts";
import { StoreAway } from "../../src/consistency/breaker.ts";
import { MemoryPinStore } from "../../src/consistency/memory.ts";
import { Pins } from "../../src/consistency/pins.ts";
import { quarantineMs } from "../../src/consistency/quarantine.ts";
import { Reassertion } from "../../src/consistency/reassertion.ts";
import type { Pid, PinStore, Welcome } from "../../src/consistency/store.ts";
import { EventBus } from "../../src/events.ts";

const INTENT_MS = 40_000;
const WINDOW_MS = 10_000;
const STRANGER = { carriesToken: false };
const LONG_THERE = { memoryMs: 3_600_000, afterOutage: false };
const BACK = { memoryMs: 3_600_000, afterOutage: true };
const FORGETFUL = { memoryMs: 0, afterOutage: true };

let nowMs = 0;
const clock = { now: () => nowMs, wall: () => nowMs };

beforeEach(() => {
  nowMs = 1_000;
});

describe("the quarantine of a store that is up", () => {
  const times = { intentTtlMs: INTENT_MS, graceWindowMs: WINDOW_MS };
  const rows: readonly [string, Parameters<typeof quarantineMs>, number][] = [
    ["is none when it has long been there", [LONG_THERE, times], 0],
    ["is the window after an outage, for edges that come back later", [BACK, times], WINDOW_MS],
    ["is an intent's time when it remembers nothing", [FORGETFUL, times], INTENT_MS],
    [
      "is what is left of an intent's time when its memory is young",
      [{ ...BACK, memoryMs: 25_000 }, times],
      15_000,
    ],
    ["is the window when its memory is nearly old enough", [{ ...BACK, memoryMs: 39_000 }, times], WINDOW_MS],
    ["outlasts a reconnection when the window is short", [BACK, { ...times, graceWindowMs: 100 }], 2_500],
  ];
  for (const [name, given, expected] of rows)
    it(name, () => assert.equal(Math.max(0, quarantineMs(...given)), expected));
});

/** Writes down what it is told, and fails when it is told to. */
class Told extends MemoryPinStore implements PinStore {
  readonly begun: string[] = [];
  failure: Error | null = null;
  welcome: Welcome = () => Promise.resolve(null);

  override async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.begun.push(`${pids.join("+")} ${ttlMs}`);
    await super.begin(pids, writeId, ttlMs);
  }

  override async end(...given: Parameters<PinStore["end"]>): Promise<void> {
    if (this.failure !== null) throw this.failure;
    await super.end(...given);
  }

  onReturn(welcome: Welcome): void {
    this.welcome = welcome;
  }
}

describe("a reassertion", () => {
  const bounds = { atMost: 1_200, withinMs: 1_000 };
  let local: MemoryPinStore;
  let store: Told;

  beforeEach(() => {
    local = new MemoryPinStore(clock);
    store = new Told(clock);
  });

  it("tells each write's hold with the time that it has left, and nothing that is over", async () => {
    void local.begin(["u", "v"], "a.1", INTENT_MS);
    void local.begin(["u"], "a.2", 500);
    nowMs += 1_000;
    const reassertion = new Reassertion(local, clock);
    void local.end(["v"], "a.1", 0);
    await reassertion.run(store, bounds);
    assert.deepEqual(store.begun, [`u ${INTENT_MS - 1_000}`]);
  });

  it("stops at its bounds, and goes on from there", async () => {
    for (let i = 0; i < 2_000; i += 1) void local.begin([`u${i}`], "a.1", INTENT_MS);
    const reassertion = new Reassertion(local, clock);
    await reassertion.run(store, bounds);
    assert.deepEqual([store.begun.length, reassertion.isDone], [1_500, false]);
    nowMs += 1;
    await reassertion.run(store, { atMost: 1_200, withinMs: 0 });
    assert.equal(store.begun.length, 1_500, "no time, no chunk");
    await reassertion.run(store, bounds);
    assert.deepEqual([store.begun.length, reassertion.isDone], [2_000, true]);
    assert.equal(await store.remaining(["u1999"]), INTENT_MS - 1);
  });

  it("tells a chunk again that the store did not take", async () => {
    void local.begin(["u"], "a.1", INTENT_MS);
    const reassertion = new Reassertion(local, clock);
    store.failure = new Error("LOADING");
    await assert.rejects(reassertion.run(store, bounds), /LOADING/);
    store.failure = null;
    await reassertion.run(store, bounds);
    assert.deepEqual(store.begun, [`u ${INTENT_MS}`]);
  });
});

describe("an edge whose store is back", () => {
  let shared: Told;
  let pins: Pins;
  let lookUps: string[];

  beforeEach(() => {
    shared = new Told(clock);
    const events = new EventBus();
    lookUps = [];
    events.on("pinLookedUp", ({ result }) => lookUps.push(result));
    pins = new Pins(configSchema.parse({ regions: {} }), { clock, events, store: shared });
  });

  it("has told it everything before it counts as up, and says for how long it is doubted", async () => {
    shared.failure = new StoreAway();
    assert.equal(await pins.open(["u"]).acknowledged, "unrecorded");
    shared.failure = null;
    assert.equal(await shared.welcome(FORGETFUL, shared), `quarantine for ${INTENT_MS} ms`);
    assert.deepEqual(shared.begun, [`u ${INTENT_MS}`]);
    assert.equal(await shared.welcome(LONG_THERE, shared), null);
  });

  it("does not take it for up when it fails again meanwhile", async () => {
    shared.failure = new StoreAway();
    await pins.open(["u"]).acknowledged;
    await assert.rejects(shared.welcome(BACK, shared), StoreAway);
  });

  it("tells it, too, what was written while it was being told", async () => {
    shared.failure = new StoreAway();
    const welcoming = shared.welcome(BACK, new Told(clock));
    assert.equal(await pins.open(["late"]).acknowledged, "unrecorded");
    shared.failure = null;
    await welcoming;
    await turn();
    await turn();
    assert.deepEqual(shared.begun, [`late ${INTENT_MS}`]);
  });

  it("tells it, too, where a write stands that ended while it was being told", async () => {
    const position = { epoch: 1, at: "000000000000002a" };
    // More than are told at once.
    pins.open(Array.from({ length: 500 }, (_, n) => `before${n}`));
    const write = pins.open(["u"]);
    await write.acknowledged;
    shared.failure = new StoreAway();
    const emptied = new Told(clock);
    const welcoming = shared.welcome(FORGETFUL, emptied);
    write.settle("committed", { position });
    await welcoming;
    assert.deepEqual((await emptied.held(["u"]))?.hold, { positions: [position], open: false, regions: [] });
  });

  it("takes its word for a pin, and not for the lack of one, until the quarantine is over", async () => {
    await shared.begin(["pinned"], "other.1", INTENT_MS);
    await shared.welcome(BACK, shared);
    nowMs += WINDOW_MS - 1;
    assert.equal((await pins.read(["pinned"], STRANGER)).pin, "pinned");
    assert.equal((await pins.read(["user"], STRANGER)).pin, "unknown");
    nowMs += 1;
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
    assert.deepEqual(lookUps, ["pinned", "unknown", "free"]);
  });

  it("is not made to trust it sooner by another outage", async () => {
    await shared.welcome(FORGETFUL, shared);
    nowMs += 1_000;
    await shared.welcome(BACK, shared);
    nowMs += INTENT_MS - 1_001;
    assert.equal((await pins.read(["user"], STRANGER)).pin, "unknown");
    nowMs += 1;
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
  });

  it("does not take the readers it sends to the writer out of doubt for the writer's normal load", async () => {
    await shared.welcome(FORGETFUL, shared);
    for (let i = 0; i < 30_000; i += 1) {
      nowMs += 1;
      pins.noteWriterRequest();
    }
    const readings = await Promise.all(Array.from({ length: 80 }, () => pins.read(["u"], STRANGER)));
    assert.equal(readings.filter(({ pin }) => pin === "unknown").length, 50);
  });
});
