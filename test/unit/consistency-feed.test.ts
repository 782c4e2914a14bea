import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Config, configSchema } from "../../src/config/schema.ts";
import { StoreAway } from "../../src/consistency/breaker.ts";
import { PinFeed } from "../../src/consistency/feed.ts";
import { FeedPins } from "../../src/consistency/feed-pins.ts";
import type { FeedBatch, FeedSource } from "../../src/consistency/feed-source.ts";
import { MemoryPinStore } from "../../src/consistency/memory.ts";
import { Pins } from "../../src/consistency/pins.ts";
import type { Pid, Return, Welcome } from "../../src/consistency/store.ts";
import { EventBus } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";

const WINDOW_MS = 10_000;
const INTENT_MS = 40_000;
const STALENESS_MS = 1_000;
/** Twice as long as the guard of the pins takes to look at the mark. */
const DOUBT_MS = 2_000;
const STRANGER = { carriesToken: false };
const NOTHING: FeedBatch = { entries: [], isAll: true, mark: "first" };

let nowMs = 0;
const clock = { now: () => nowMs, wall: () => nowMs };

/** A feed whose answers the test gives, one for each question. */
class ScriptedFeed implements FeedSource {
  blocks = true;
  rewinds = 0;
  closed = false;
  blockMs = 0;
  #answer: ((batch: FeedBatch | Error) => void) | null = null;

  read(blockMs: number): Promise<FeedBatch> {
    this.blockMs = blockMs;
    return new Promise((resolve, reject) => {
      this.#answer = (batch) => (batch instanceof Error ? reject(batch) : resolve(batch));
    });
  }

  /** Answers the question that is open, and waits until the next is asked; a batch is paused after. */
  async answer(batch: FeedBatch | Error): Promise<void> {
    const answer = this.#answer;
    assert.ok(answer, "nothing is asked");
    this.#answer = null;
    answer(batch);
    const deadlineMs = performance.now() + 5_000;
    while (this.#answer === null && performance.now() < deadlineMs) await turn();
  }

  rewind(): void {
    this.rewinds += 1;
  }

  close(): void {
    this.closed = true;
    this.#answer?.(new Error("closed"));
  }
}

/** A shared store that counts its look-ups, and can be away or doubted. */
class SharedStore extends MemoryPinStore {
  lookUps = 0;
  isUp = true;
  #welcome: Welcome | null = null;

  override async remaining(pids: readonly Pid[]): Promise<number> {
    if (!this.isUp) throw new StoreAway("away");
    this.lookUps += 1;
    return super.remaining(pids);
  }

  onReturn(welcome: Welcome): void {
    this.#welcome = welcome;
  }

  async come(back: Return): Promise<void> {
    await this.#welcome?.(back, this);
  }
}

const configured = (mode: string, staleness = `${STALENESS_MS}ms`): Config =>
  configSchema.parse({ regions: {}, consistency: { mode, staleness } });

const told = (pid: Pid, writeId = "other.1", remainingMs = INTENT_MS): FeedBatch => ({
  ...NOTHING,
  entries: [{ pid, writeId, remainingMs }],
});

let source: ScriptedFeed;
let connections: number;
let feed: PinFeed;
let store: SharedStore;
let pins: Pins;
/** What the bus said of the feed. */
let said: string[];

beforeEach(() => {
  nowMs = 1_000;
  source = new ScriptedFeed();
  connections = 0;
  said = [];
  const events = new EventBus();
  events.on("feedState", ({ behind, cause }) => said.push(behind ? `behind: ${cause}` : "fresh"));
  feed = new PinFeed({
    clock,
    events,
    connect: () => {
      connections += 1;
      return source;
    },
  });
  store = new SharedStore(clock);
  pins = new Pins(configured("bounded"), { clock, events, store, feed });
});

afterEach(() => pins.close());

/** Begins to be fresh, as of now. The first answer only says which Redis it is. */
async function begin(): Promise<void> {
  await source.answer(NOTHING);
  await source.answer(NOTHING);
}

describe("the feed", () => {
  it("is fresh for the staleness from when a question was asked whose answer left nothing out", async () => {
    await source.answer(NOTHING);
    assert.equal(feed.isFresh, false);
    nowMs += 300;
    await source.answer(NOTHING);
    assert.equal(feed.isFresh, true);
    nowMs += STALENESS_MS - 301;
    assert.equal(feed.isFresh, true);
    nowMs += 1;
    assert.equal(feed.isFresh, false, "the answer's own time proves nothing");
  });

  it("is not fresh while answers leave something out", async () => {
    await source.answer(NOTHING);
    await source.answer({ ...told("user"), isAll: false });
    assert.equal(feed.isFresh, false);
    assert.equal(feed.holds(["user"]), true);
    await source.answer(NOTHING);
    assert.equal(feed.isFresh, true);
  });

  it("is read again from the start, and not fresh until then, when it is that of another Redis", async () => {
    await begin();
    await source.answer(told("user"));
    assert.deepEqual([feed.isFresh, source.rewinds], [true, 1]);
    await source.answer({ ...NOTHING, mark: "second" });
    assert.deepEqual([feed.isFresh, source.rewinds], [false, 2]);
    assert.equal(feed.holds(["user"]), true, "what was heard is not unheard");
    nowMs += DOUBT_MS;
    await source.answer({ ...NOTHING, mark: "second" });
    await source.answer({ ...NOTHING, mark: "second" });
    assert.deepEqual([feed.isFresh, source.rewinds], [true, 2]);
  });

  it("is not fresh over another Redis before the guard of the pins has surely looked at it", async () => {
    await begin();
    await source.answer({ ...NOTHING, mark: null });
    await source.answer({ ...NOTHING, mark: "second" });
    nowMs += DOUBT_MS - 1;
    await source.answer({ ...NOTHING, mark: "second" });
    await source.answer({ ...NOTHING, mark: "second" });
    assert.equal(feed.isFresh, false);
    nowMs += 1;
    await source.answer({ ...NOTHING, mark: "second" });
    await source.answer({ ...NOTHING, mark: "second" });
    assert.equal(feed.isFresh, true);
  });

  it("is never fresh over a Redis that does not say which one it is", async () => {
    for (let i = 0; i < 3; i += 1) await source.answer({ ...NOTHING, mark: null });
    assert.equal(feed.isFresh, false);
  });

  it("stays as fresh as it was when a question fails, and is asked again", async () => {
    await begin();
    await source.answer(new Error("lost"));
    assert.equal(feed.isFresh, true);
    nowMs += STALENESS_MS;
    assert.equal(feed.isFresh, false);
    await source.answer(NOTHING);
    assert.equal(feed.isFresh, false, "that question was asked too long ago");
    await source.answer(NOTHING);
    assert.equal(feed.isFresh, true);
    assert.equal(source.rewinds, 1);
  });

  it("is followed in mode bounded only, and reload begins and ends it", async () => {
    await begin();
    pins.configure(configured("strict"));
    assert.deepEqual([source.closed, feed.isFresh], [true, false]);
    source = new ScriptedFeed();
    pins.configure(configured("bounded"));
    pins.configure(configured("bounded", "2s"));
    assert.equal(connections, 2);
    await begin();
    nowMs += 1_500;
    assert.equal(feed.isFresh, true);
  });

  it("is never fresh with a staleness of 0, which is how a fleet changes its mode", async () => {
    pins.configure(configured("bounded", "0ms"));
    await begin();
    assert.equal(feed.isFresh, false);
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
    assert.equal(store.lookUps, 1);
  });

  it("waits in Redis a quarter of the staleness, but where Redis is too coarse for that", async () => {
    await begin();
    assert.equal(source.blockMs, 250);
    for (const [staleness, blockMs] of [
      ["10s", 500],
      ["500ms", 125],
      ["400ms", 0],
    ] as const) {
      pins.configure(configured("bounded", staleness));
      await source.answer(NOTHING);
      assert.equal(source.blockMs, blockMs, staleness);
    }
  });

  it("waits here where the source cannot", async () => {
    await begin();
    source.blocks = false;
    await source.answer(NOTHING);
    assert.equal(source.blockMs, 0);
    const askedAtMs = performance.now();
    await source.answer(NOTHING);
    assert.ok(performance.now() - askedAtMs > STALENESS_MS / 8);
    assert.equal(feed.isFresh, true);
  });
});

describe("the news of the feed", () => {
  it("is that it fell behind, with the cause, and that it is back: once each", async () => {
    await begin();
    nowMs += STALENESS_MS - 1;
    await source.answer(new Error("READONLY"));
    assert.deepEqual(said, []);
    nowMs += 1;
    await source.answer(new Error("READONLY"));
    await source.answer(new Error("READONLY"));
    assert.deepEqual(said, ["behind: READONLY"]);
    await source.answer(NOTHING);
    await source.answer(NOTHING);
    await source.answer(NOTHING);
    assert.deepEqual(said, ["behind: READONLY", "fresh"]);
  });

  it("comes too when a question is not answered at all", async () => {
    await begin();
    nowMs += STALENESS_MS;
    await eventually(() => said.length > 0);
    assert.deepEqual(said, ["behind: no answer"]);
  });

  it("comes when it never was fresh, and says that there is a backlog or no mark", async () => {
    await source.answer(NOTHING);
    nowMs += STALENESS_MS;
    await source.answer({ ...NOTHING, isAll: false });
    assert.deepEqual(said, ["behind: backlog"]);
    await source.answer(NOTHING);
    nowMs += STALENESS_MS;
    await source.answer({ ...NOTHING, mark: null });
    assert.deepEqual(said, ["behind: backlog", "fresh", "behind: no birth mark"]);
  });

  it("is none at an ordinary start, with a staleness of 0, and after the mode has changed", async () => {
    await begin();
    pins.configure(configured("bounded", "0ms"));
    nowMs += STALENESS_MS;
    await source.answer(NOTHING);
    pins.configure(configured("strict"));
    await new Promise((done) => setTimeout(done, 600));
    assert.deepEqual(said, []);
  });
});

describe("the age of the feed", () => {
  it("is that of the last question whose answer left nothing out, another Redis or not", async () => {
    nowMs += 100;
    assert.equal(feed.ageMs, 100);
    await begin();
    await source.answer({ ...NOTHING, mark: "second" });
    nowMs += 300;
    assert.equal(feed.ageMs, 300);
    await source.answer({ ...NOTHING, isAll: false, mark: "second" });
    assert.equal(feed.ageMs, 300);
    nowMs += DOUBT_MS;
    await source.answer({ ...NOTHING, mark: "second" });
    await source.answer({ ...NOTHING, mark: "second" });
    assert.equal(feed.ageMs, 0);
  });

  it("is none while nothing is followed", () => {
    pins.configure(configured("strict"));
    assert.equal(feed.ageMs, null);
  });
});

describe("a read in mode bounded", () => {
  it("costs a look-up until the feed is fresh, then none", async () => {
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
    assert.equal(store.lookUps, 1);
    await begin();
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
    assert.equal(store.lookUps, 1);
  });

  it("costs one when its client has written, however long ago by this edge's clock", async () => {
    await begin();
    await store.begin(["user"], "other.1", INTENT_MS);
    const hints = { ...STRANGER, hasWritten: true };
    assert.equal((await pins.read(["user"], hints)).pin, "pinned");
    assert.equal((await pins.read(["nobody"], hints)).pin, "free");
    assert.equal(store.lookUps, 2);
  });

  it("costs one again, each time, once the feed is stale", async () => {
    await begin();
    nowMs += STALENESS_MS;
    await store.begin(["user"], "other.1", INTENT_MS);
    assert.equal((await pins.read(["user"], STRANGER)).pin, "pinned");
    assert.equal((await pins.read(["nobody"], STRANGER)).pin, "free");
    assert.equal((await pins.read(["nobody"], STRANGER)).pin, "free");
    assert.equal(store.lookUps, 3);
  });

  it("is pinned by another edge's write for a window without a look-up, then as the store says", async () => {
    await begin();
    await store.begin(["user"], "other.1", INTENT_MS);
    await source.answer(told("user"));
    assert.equal(pins.known(["user"], null).pin, "pinned");
    await store.end(["user"], "other.1", WINDOW_MS);
    nowMs += WINDOW_MS - 1;
    assert.equal(pins.known(["user"], null).pin, "pinned");
    assert.equal(store.lookUps, 0);
    nowMs += 1;
    assert.equal(pins.known(["user"], null).pin, "unasked");
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
    assert.equal(store.lookUps, 1);
  });

  it("is still pinned after the window by a write that has not ended", async () => {
    await begin();
    await store.begin(["user"], "other.1", INTENT_MS);
    await source.answer(told("user"));
    nowMs += WINDOW_MS;
    await source.answer(NOTHING);
    await source.answer(NOTHING);
    assert.equal(feed.isFresh, true);
    assert.equal((await pins.read(["user"], STRANGER)).pin, "pinned");
    assert.equal(store.lookUps, 1);
  });

  it("is pinned by what the feed has said when the store is away, and unknown otherwise", async () => {
    await begin();
    await source.answer(told("user"));
    store.isUp = false;
    nowMs += WINDOW_MS;
    assert.equal((await pins.read(["user"], STRANGER)).pin, "pinned");
    assert.equal((await pins.read(["nobody"], STRANGER)).pin, "unknown");
  });

  it("is unknown when the store is away, however fresh the feed", async () => {
    await begin();
    store.isUp = false;
    assert.equal(feed.isFresh, true);
    assert.equal((await pins.read(["nobody"], STRANGER)).pin, "unknown");
  });

  it("is unknown while the store is in quarantine, however fresh the feed", async () => {
    await begin();
    await store.come({ memoryMs: 0, afterOutage: true });
    assert.equal(feed.isFresh, true);
    assert.equal((await pins.read(["nobody"], STRANGER)).pin, "unknown");
    nowMs += INTENT_MS;
    await source.answer(NOTHING);
    await source.answer(NOTHING);
    assert.equal((await pins.read(["nobody"], STRANGER)).pin, "free");
  });

  it("follows this edge's own writes to their ends, not to what the feed says of them", async () => {
    let writeId = "";
    store.begin = async (_pids, id) => {
      writeId = id;
    };
    await begin();
    const pin = pins.open(["user"]);
    await pin.acknowledged;
    await source.answer(told("user", writeId));
    pin.settle("notWritten");
    assert.equal(pins.known(["user"], null).pin, "unasked");
    assert.equal(feed.holds(["user"]), false);
  });

  it("is free when an operator has released the user, on this edge", async () => {
    await begin();
    await source.answer(told("user"));
    await pins.release("user");
    assert.equal(pins.known(["user"], null).pin, "unasked");
    assert.equal((await pins.read(["user"], STRANGER)).pin, "free");
  });
});

describe("the pins that a feed has told", () => {
  it("only ever grow longer", () => {
    const heard = new FeedPins(clock);
    heard.hear("user", INTENT_MS, WINDOW_MS);
    heard.hear("user", 1, 1);
    nowMs += WINDOW_MS - 1;
    assert.equal(heard.believes(["other", "user"]), true);
    nowMs += 1;
    assert.equal(heard.believes(["user"]), false);
    nowMs += INTENT_MS - WINDOW_MS - 1;
    assert.equal(heard.holds(["other", "user"]), true);
    nowMs += 1;
    assert.equal(heard.holds(["user"]), false);
  });

  it("are believed no longer than they last", () => {
    const heard = new FeedPins(clock);
    heard.hear("user", 5, WINDOW_MS);
    nowMs += 5;
    assert.equal(heard.believes(["user"]), false);
  });

  it("take no more memory than there are live ones, and as many that are over", () => {
    const heard = new FeedPins(clock);
    for (let i = 0; i < 100_000; i += 1) {
      nowMs += 1;
      heard.hear(`user${i}`, 1_000, 1_000);
      assert.ok(heard.held <= 2_001, `${heard.held}`);
    }
  });
});
