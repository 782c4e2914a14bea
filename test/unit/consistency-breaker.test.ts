import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import {
  Breaker,
  counted,
  EMPTY_TALLY,
  isBroken,
  StoreAway,
  type Tally,
} from "../../src/consistency/breaker.ts";
import { EventBus } from "../../src/events.ts";

/** The tally after these outcomes (`+` and `-`), one every `everyMs`. */
function after(outcomes: string, everyMs = 1): Tally {
  return [...outcomes].reduce(
    (tally, mark, index) => counted(tally, mark === "+", index * everyMs),
    EMPTY_TALLY,
  );
}

describe("the store is not asked any more", () => {
  const rows: readonly [string, string, number, boolean][] = [
    ["after five failures in a row", "-----", 1, true],
    ["after five failures in a row, however far apart", "-----", 60_000, true],
    ["but is after four", "----", 1, false],
    ["but is when a success came between", "----+----", 1_001, false],
    ["when half of a second's commands failed", "+-+-+-+-+-", 1, true],
    ["but is when less than half failed", "+-+-+-+-++", 1, false],
    ["but is when half failed of too few to tell", "+-+-+-+-", 1, false],
    ["but is when the failures were in another second", "+-+-+-+-+-", 200, false],
    ["but is before any command", "", 1, false],
  ];
  for (const [name, outcomes, everyMs, broken] of rows)
    it(name, () => assert.equal(isBroken(after(outcomes, everyMs)), broken));
});

describe("a breaker", () => {
  const clock = { now: () => 0, wall: () => 0 };
  let events: EventBus;
  let said: string[];
  let alive: boolean;
  let probes: number;
  let breaker: Breaker;

  const probe = async () => {
    probes += 1;
    if (!alive) throw new Error("LOADING Redis is loading the dataset in memory");
    return null;
  };
  const fail = () => breaker.run(() => Promise.reject(new Error("OOM command not allowed"))).catch(() => {});
  const wait = async (ms: number) => {
    mock.timers.tick(ms);
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    events = new EventBus();
    said = [];
    alive = true;
    probes = 0;
    events.on("redisState", ({ up, cause }) => said.push(up ? "up" : `down: ${cause}`));
    breaker = new Breaker(probe, { clock, events });
  });

  afterEach(() => {
    breaker.close();
    mock.timers.reset();
  });

  it("is open until the first contact, and then says that the store is up", async () => {
    await assert.rejects(
      breaker.run(async () => 1),
      StoreAway,
    );
    await wait(250);
    assert.equal(await breaker.run(async () => 1), 1);
    assert.deepEqual(said, ["up"]);
  });

  it("is closed by a probe at once when there is reason to hope", async () => {
    await breaker.probe();
    assert.equal(breaker.isOpen, false);
  });

  it("opens after five failures, and then sends no command", async () => {
    await breaker.probe();
    for (let i = 0; i < 5; i += 1) await fail();
    let sent = false;
    const command = async () => {
      sent = true;
    };
    await assert.rejects(breaker.run(command), StoreAway);
    assert.equal(sent, false);
    assert.deepEqual(said, ["up", "down: OOM"]);
  });

  it("opens at once when the connection is lost", async () => {
    await breaker.probe();
    breaker.trip("disconnected");
    assert.equal(breaker.isOpen, true);
  });

  it("probes every 250 ms while open and not while closed", async () => {
    alive = false;
    for (let i = 0; i < 4; i += 1) await wait(250);
    assert.equal(probes, 4);
    alive = true;
    await wait(250);
    assert.equal(breaker.isOpen, false);
    for (let i = 0; i < 4; i += 1) await wait(250);
    assert.equal(probes, 5);
  });

  it("says a state once, however often it is met", async () => {
    alive = false;
    breaker.trip("ECONNREFUSED");
    breaker.trip("disconnected");
    for (let i = 0; i < 8; i += 1) await wait(250);
    assert.deepEqual(said, ["down: ECONNREFUSED"]);
  });

  it("hands a failure on to whoever asked", async () => {
    await breaker.probe();
    await assert.rejects(
      breaker.run(() => Promise.reject(new Error("boom"))),
      /boom/,
    );
  });

  it("does not hear a command that was sent before it opened", async () => {
    await breaker.probe();
    let succeed = () => {};
    const late = breaker.run(() => new Promise<void>((resolve) => (succeed = resolve)));
    breaker.trip("disconnected");
    succeed();
    await late;
    assert.equal(breaker.isOpen, true);
  });

  it("tells its probe whether anything had failed, which at the start a missing connection is not", async () => {
    const failed: boolean[] = [];
    const note = async (afterFailure: boolean) => {
      failed.push(afterFailure);
      return null;
    };
    const [connecting, refused] = [
      new Breaker(note, { clock, events }),
      new Breaker(note, { clock, events }),
    ];
    connecting.trip("disconnected");
    await connecting.probe();
    connecting.trip("disconnected");
    await connecting.probe();
    refused.trip("ECONNREFUSED");
    await refused.probe();
    for (const one of [connecting, refused]) one.close();
    assert.deepEqual(failed, [false, true, true]);
  });

  it("stays open when it was tripped while the probe was under way", async () => {
    let succeed = (_word: string | null) => {};
    const slow = new Breaker(() => new Promise((resolve) => (succeed = resolve)), { clock, events });
    const probing = slow.probe();
    slow.trip("closed");
    succeed(null);
    await probing;
    assert.equal(slow.isOpen, true);
    slow.close();
  });

  it("says with the news that the store is up what the probe found", async () => {
    const causes: (string | null)[] = [];
    events.on("redisState", ({ cause }) => causes.push(cause));
    const doubting = new Breaker(async () => "quarantine for 5 ms", { clock, events });
    await doubting.probe();
    doubting.close();
    assert.deepEqual(causes, ["quarantine for 5 ms"]);
  });

  it("does nothing any more once it is closed down", async () => {
    breaker.close();
    await wait(2_000);
    breaker.trip("disconnected");
    assert.equal(probes, 0);
    assert.deepEqual(said, []);
  });
});
