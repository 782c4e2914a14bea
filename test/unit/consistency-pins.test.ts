import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { type Config, configSchema } from "../../src/config/schema.ts";
import { StoreAway } from "../../src/consistency/breaker.ts";
import { MemoryPinStore } from "../../src/consistency/memory.ts";
import { Pins } from "../../src/consistency/pins.ts";
import type { Pid, PinStore } from "../../src/consistency/store.ts";
import { EventBus } from "../../src/events.ts";
import { BY_WRITER } from "../../src/routing/hold.ts";

const INTENT_MS = 40_000;
const WINDOW_MS = 10_000;
const STRANGER = { carriesToken: false };
const OUR_BROWSER = { carriesToken: true };

let nowMs = 0;
const clock = { now: () => nowMs, wall: () => nowMs };

/** A store in memory that can go away, and that writes down what it is asked. */
class FickleStore extends MemoryPinStore implements PinStore {
  failure: Error | null = null;
  readonly calls: string[] = [];

  override async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    this.#called("begin", pids, ttlMs);
    await super.begin(pids, writeId, ttlMs);
  }

  override async end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    this.#called("end", pids, ttlMs);
    await super.end(pids, writeId, ttlMs);
  }

  override async remaining(pids: readonly Pid[]): Promise<number> {
    this.#called("remaining", pids);
    return super.remaining(pids);
  }

  #called(op: string, pids: readonly Pid[], ttlMs?: number): void {
    if (this.failure !== null) throw this.failure;
    this.calls.push([op, pids.join("+"), ttlMs].filter((part) => part !== undefined).join(" "));
  }
}

function configure(consistency: object = {}): Config {
  return configSchema.parse({ regions: {}, consistency });
}

let shared: FickleStore;
let events: EventBus;
let said: string[];

function edge(consistency: object = {}, store: PinStore | null = shared): Pins {
  return new Pins(configure(consistency), { clock, events, store });
}

beforeEach(() => {
  nowMs = 1_000;
  shared = new FickleStore(clock);
  events = new EventBus();
  said = [];
  events.on("pinned", ({ action }) => said.push(action));
  events.on("pinLookedUp", ({ result }) => said.push(`looked up: ${result}`));
  events.on("pinStoreFailed", ({ op, cause }) => said.push(`${op} failed: ${cause}`));
});

describe("a write", () => {
  it("pins its users on this edge before anything is sent, and everywhere once it is recorded", async () => {
    const [here, there] = [edge(), edge()];
    const pin = here.open(["u", "v"]);
    assert.equal(here.known(["v"], null).pin, "pinned");
    assert.equal(await pin.acknowledged, "recorded");
    assert.equal(there.known(["u"], null).pin, "unasked");
    assert.equal((await there.read(["u"], STRANGER)).pin, "pinned");
  });

  it("keeps its user pinned for the window after it is committed, and then no longer", async () => {
    const [here, there] = [edge(), edge()];
    here.open(["u"]).settle("committed");
    nowMs += WINDOW_MS - 1;
    assert.equal(here.known(["u"], null).pin, "pinned");
    assert.equal((await there.read(["u"], STRANGER)).pin, "pinned");
    nowMs += 1;
    assert.equal(here.known(["u"], null).pin, "unasked");
    assert.equal((await here.read(["u"], STRANGER)).pin, "free");
  });

  it("keeps its user pinned longer where replicas lag more, up to the longest pin", () => {
    edge().open(["u"]).settle("committed", { windowMs: 25_000 });
    edge().open(["u"]).settle("committed", { windowMs: 900_000 });
    edge().open(["u"]).settle("committed", { windowMs: 1 });
    assert.deepEqual(
      shared.calls.filter((call) => call.startsWith("end")),
      ["end u 25000", "end u 60000", `end u ${WINDOW_MS}`],
    );
  });

  it("unpins its user when it did not write", async () => {
    const here = edge();
    here.open(["u"]).settle("notWritten");
    assert.equal((await here.read(["u"], STRANGER)).pin, "free");
  });

  it("leaves its intent alone when nobody knows what became of it", async () => {
    const here = edge();
    here.open(["u"]).settle("unknown");
    nowMs += INTENT_MS - 1;
    assert.equal((await edge().read(["u"], STRANGER)).pin, "pinned");
    assert.equal(here.known(["u"], null).pin, "pinned");
    assert.deepEqual(shared.calls, [`begin u ${INTENT_MS}`, "remaining u"]);
  });

  it("does not unpin a user who is writing elsewhere too", async () => {
    const [here, there] = [edge(), edge()];
    const pin = here.open(["u"]);
    there.open(["u"]);
    pin.settle("notWritten");
    assert.equal((await edge().read(["u"], STRANGER)).pin, "pinned");
  });

  it("pins those whom its response establishes, too, and settles them with the others", async () => {
    const here = edge();
    const pin = here.open(["u"]);
    assert.equal(await pin.add(["session", "u"]), "recorded");
    assert.equal((await edge().read(["session"], STRANGER)).pin, "pinned");
    pin.settle("committed");
    assert.deepEqual(shared.calls, [
      `begin u ${INTENT_MS}`,
      `begin session ${INTENT_MS}`,
      "remaining session",
      `end u+session ${WINDOW_MS}`,
    ]);
  });

  it("of nobody sends nothing until its response establishes somebody", async () => {
    const pin = edge().open([]);
    assert.equal(await pin.acknowledged, "recorded");
    assert.deepEqual(shared.calls, []);
    await pin.add(["session"]);
    pin.settle("committed");
    assert.deepEqual(shared.calls, [`begin session ${INTENT_MS}`, `end session ${WINDOW_MS}`]);
    assert.deepEqual(said, ["begin", "end"]);
  });

  it("is settled once", () => {
    const pin = edge().open(["u"]);
    pin.settle("unknown");
    pin.settle("notWritten");
    assert.deepEqual(shared.calls, [`begin u ${INTENT_MS}`]);
  });

  it("says what becomes of its pin", () => {
    const here = edge();
    here.open(["u"]).settle("committed");
    here.open(["u"]).settle("notWritten");
    here.open(["u"]).settle("unknown");
    assert.deepEqual(said, ["begin", "end", "begin", "cancel", "begin", "expire"]);
  });

  it("is unrecorded, and still pins on this edge, when the store fails", async () => {
    const here = edge();
    shared.failure = new Error("OOM command not allowed when used memory > 'maxmemory'.");
    const pin = here.open(["u"]);
    assert.equal(await pin.acknowledged, "unrecorded");
    assert.equal(here.known(["u"], null).pin, "pinned");
    pin.settle("committed");
    await pin.acknowledged;
    assert.deepEqual(said, ["begin", "begin failed: OOM", "end", "end failed: OOM"]);
  });

  it("is no failure of the store when the store is known to be away", async () => {
    shared.failure = new StoreAway();
    assert.equal(await edge().open(["u"]).acknowledged, "unrecorded");
    assert.deepEqual(said, ["begin"]);
  });
});

describe("a long write", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setInterval"] }));
  afterEach(() => mock.timers.reset());

  const pass = (ms: number) => {
    nowMs += ms;
    mock.timers.tick(ms);
  };

  it("is renewed while it is open, so that it stays pinned for hours", () => {
    const here = edge();
    here.open(["u"]);
    for (let half = 0; half < 100; half += 1) pass(INTENT_MS / 2);
    assert.equal(here.known(["u"], null).pin, "pinned");
    assert.equal(shared.calls.length, 101);
    assert.deepEqual(said.slice(0, 3), ["begin", "extend", "extend"]);
  });

  it("is renewed no more once it is settled or its edge has closed", async () => {
    const here = edge();
    here.open(["u"]).settle("unknown");
    here.open(["v"]);
    await here.close();
    pass(10 * INTENT_MS);
    assert.equal(shared.calls.length, 2);
  });
});

describe("a read", () => {
  it("is pinned by a token or by this edge without a round trip", async () => {
    const here = edge();
    here.open(["u"]);
    assert.equal(here.known([], BY_WRITER).pin, "pinned");
    assert.equal(here.known(["u"], null).pin, "pinned");
    assert.equal((await here.read(["u"], STRANGER)).pin, "pinned");
    assert.deepEqual(shared.calls, [`begin u ${INTENT_MS}`]);
  });

  it("asks the store each time: that a user was free is never remembered", async () => {
    const [here, there] = [edge(), edge()];
    assert.equal((await here.read(["u"], STRANGER)).pin, "free");
    await there.open(["u"]).acknowledged;
    assert.equal((await here.read(["u"], STRANGER)).pin, "pinned");
    assert.deepEqual(said, ["looked up: free", "begin", "looked up: pinned"]);
  });

  it("of nobody is free", async () => {
    assert.equal((await edge().read([], STRANGER)).pin, "free");
    assert.deepEqual(shared.calls, []);
  });

  it("on a lone edge is always answered, by the edge itself", async () => {
    const alone = edge({}, null);
    const pin = alone.open(["u"]);
    assert.equal(await pin.acknowledged, "recorded");
    assert.equal((await alone.read(["u"], STRANGER)).pin, "pinned");
    assert.equal((await alone.read(["v"], STRANGER)).pin, "free");
    assert.equal(alone.activeCount(), 1);
    assert.equal(await alone.release("u"), true);
    assert.equal((await alone.read(["u"], STRANGER)).pin, "free");
  });
});

describe("a read whose store does not answer", () => {
  const answers: readonly [string, { carriesToken: boolean }, string][] = [
    ["failSafe", STRANGER, "unknown"],
    ["failSafe", OUR_BROWSER, "unknown"],
    ["trustToken", STRANGER, "unknown"],
    ["trustToken", OUR_BROWSER, "waived"],
    ["failOpen", STRANGER, "waived"],
    ["failOpen", OUR_BROWSER, "waived"],
  ];
  for (const [reads, client, expected] of answers)
    it(`is ${expected} for ${client.carriesToken ? "a browser of ours" : "a stranger"} under ${reads}`, async () => {
      shared.failure = new Error("Command timed out");
      const here = edge({ onRedisDown: { reads } });
      assert.equal((await here.read(["u"], client)).pin, expected);
      assert.deepEqual(said, ["remaining failed: timeout", "looked up: unknown"]);
    });

  for (const reads of ["failSafe", "trustToken", "failOpen"])
    it(`is pinned under ${reads} when a token or this edge says so`, async () => {
      shared.failure = new StoreAway();
      const here = edge({ onRedisDown: { reads } });
      here.open(["u"]);
      assert.equal(here.known(["u"], null).pin, "pinned");
      assert.equal(here.known(["v"], BY_WRITER).pin, "pinned");
      assert.equal((await here.read(["u"], OUR_BROWSER)).pin, "pinned");
    });

  it("spares the writer beyond what it bears, under failSafe", async () => {
    shared.failure = new StoreAway();
    const here = edge();
    const readings = await Promise.all(Array.from({ length: 80 }, () => here.read(["u"], STRANGER)));
    assert.equal(readings.filter(({ pin }) => pin === "unknown").length, 50);
    assert.equal(readings.filter(({ pin }) => pin === "waived").length, 30);
  });

  it("that is only rehearsed gets the same answer and spends nothing of it", async () => {
    shared.failure = new StoreAway();
    const here = edge();
    const rehearse = () => here.read(["u"], { ...STRANGER, rehearsal: true });
    for (let i = 0; i < 200; i += 1) assert.equal((await rehearse()).pin, "unknown");
    for (let i = 0; i < 50; i += 1) assert.equal((await here.read(["u"], STRANGER)).pin, "unknown");
    assert.equal((await rehearse()).pin, "waived");
    assert.equal((await here.read(["u"], STRANGER)).pin, "waived");
  });

  it("measures what the writer bears only while the store answers", async () => {
    const here = edge();
    shared.failure = new StoreAway();
    await here.read(["u"], STRANGER);
    for (let i = 0; i < 60_000; i += 1) {
      nowMs += 1;
      here.noteWriterRequest();
    }
    const readings = await Promise.all(Array.from({ length: 80 }, () => here.read(["u"], STRANGER)));
    assert.equal(readings.filter(({ pin }) => pin === "unknown").length, 50);
  });

  it("is an error to an operator, who must not mistake it for no pin", async () => {
    shared.failure = new StoreAway();
    shared.inspect = () => Promise.reject(new StoreAway());
    await assert.rejects(edge().inspect("u"), StoreAway);
  });
});

describe("the modes", () => {
  it("keep no pins but the token's in cookie mode", async () => {
    const here = edge({ mode: "cookie" });
    const pin = here.open(["u"]);
    assert.equal(await pin.acknowledged, "recorded");
    pin.settle("committed");
    assert.equal(here.known(["u"], null).pin, "free");
    assert.equal(here.known(["u"], BY_WRITER).pin, "pinned");
    assert.equal((await here.read(["u"], STRANGER)).pin, "free");
    assert.deepEqual(shared.calls, []);
  });

  it("know no pins at all when off", async () => {
    const here = edge({ mode: "off" });
    here.open(["u"]).settle("committed");
    assert.equal(here.known(["u"], BY_WRITER).pin, "free");
    assert.equal((await here.read(["u"], STRANGER)).pin, "free");
    assert.deepEqual(shared.calls, []);
  });

  it("can be changed while the edge runs", async () => {
    const here = edge({ mode: "off" });
    here.configure(configure({ mode: "strict", graceWindow: "3s" }));
    here.open(["u"]).settle("committed");
    assert.equal((await edge().read(["u"], STRANGER)).pin, "pinned");
    assert.equal(shared.calls[1], "end u 3000");
  });
});

describe("a user who writes all day", () => {
  it("is told of, by his hash, when he has been pinned for ten minutes", async () => {
    const storms: string[] = [];
    events.on("pinStorm", ({ pid, writes }) => storms.push(`${pid} ${writes}`));
    const here = edge();
    for (let i = 0; i < 100; i += 1) {
      here.open(["bot"]).settle("committed");
      if (i % 10 === 0) here.open(["user"]).settle("committed");
      nowMs += 9_000;
    }
    assert.deepEqual(storms, ["bot 68"]);
    assert.equal(here.stormCount(), 1);
  });

  it("brings the writer as many reads a second as the operator lets him", async () => {
    const here = edge({ pinnedReadsPerSecond: 3 });
    const borne = () => Array.from({ length: 5 }, () => here.bearsRead(["bot"])).filter(Boolean).length;
    assert.equal(borne(), 3);
    assert.equal(here.bearsRead(["user"]), true);
    nowMs += 1_000;
    assert.equal(borne(), 3);
    assert.equal(edge().bearsRead(["bot"]), true);
  });
});

describe("the users who are pinned to a region", () => {
  it("are all who are pinned, at the write region, and nobody elsewhere", () => {
    const here = edge();
    here.open(["u"], "us").settle("committed");
    here.open(["v"], "us");
    assert.deepEqual([here.countAt("us", "us"), here.countAt("eu", "us")], [2, 0]);
    nowMs += WINDOW_MS;
    assert.equal(here.countAt("us", "us"), 1);
  });

  it("are with several writers those who wrote there, as long as they are pinned", () => {
    const config = configSchema.parse({ regions: {}, routing: { topology: "multi-writer" } });
    const here = new Pins(config, { clock, events, store: null });
    here.open(["u"], "us").settle("committed");
    here.open(["v"], "us").settle("committed");
    here.open(["v"], "eu").settle("committed");
    here.open(["w"], "eu-west").settle("committed");
    assert.deepEqual([here.countAt("us", null), here.countAt("eu", null)], [2, 1]);
    nowMs += WINDOW_MS;
    assert.equal(here.countAt("us", null), 0);
  });
});
