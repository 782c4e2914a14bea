import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { configSchema } from "../../src/config/schema.ts";
import { type EdgeEvents, EventBus } from "../../src/events.ts";
import { Overload } from "../../src/proxy/overload.ts";

const config = (eventLoopDelay: string, memoryPercent: number) =>
  configSchema.parse({ regions: {}, limits: { overload: { eventLoopDelay, memoryPercent } } });

function watched() {
  const events = new EventBus();
  const said: EdgeEvents["overloadChanged"][] = [];
  events.on("overloadChanged", (event) => said.push(event));
  const vitals = {
    late: 0,
    memory: 0.2,
    garbage: 0,
    tidied: 0,
    tidyMs: 0,
    lateMs: () => vitals.late,
    memoryShare: () => vitals.memory + vitals.garbage,
    tidy: () => {
      vitals.garbage = 0;
      vitals.tidied += 1;
      clock.nowMs += vitals.tidyMs;
    },
  };
  const clock = { nowMs: 0, now: () => clock.nowMs, wall: () => 0 };
  const chances = { next: 0 };
  const overload = new Overload(config("500ms", 90), {
    clock,
    events,
    vitals,
    chance: () => chances.next,
  });
  const look = (times: number): void => {
    for (let i = 0; i < times; i += 1) {
      clock.nowMs += 250;
      overload.look();
    }
  };
  return { overload, vitals, said, look, chances };
}

describe("an overload", () => {
  test("begins when the event loop is late twice in a row, and not by one stall", () => {
    const { overload, vitals, said, look } = watched();
    vitals.late = 2_000;
    look(1);
    vitals.late = 0;
    look(1);
    vitals.late = 501;
    look(1);
    assert.equal(overload.cause, null);
    look(1);
    assert.equal(overload.cause, "event_loop");
    assert.deepEqual(said, [{ cause: "event_loop", shedding: true, seen: "501 ms late" }]);
  });

  test("ends after a second well below what it began above", () => {
    const { overload, vitals, said, look } = watched();
    vitals.late = 600;
    look(2);
    vitals.late = 400;
    look(20);
    assert.equal(overload.cause, "event_loop", "below the threshold is not enough");
    vitals.late = 100;
    look(3);
    vitals.late = 300;
    look(1);
    vitals.late = 100;
    look(3);
    assert.equal(overload.cause, "event_loop", "nor is a moment");
    look(1);
    assert.equal(overload.cause, null);
    assert.deepEqual(
      said.map(({ shedding }) => shedding),
      [true, false],
    );
  });

  test("of memory counts before one of time", () => {
    const { overload, vitals, look } = watched();
    vitals.late = 900;
    vitals.memory = 0.91;
    look(2);
    assert.deepEqual([overload.cause, overload.causes], ["memory", ["memory", "event_loop"]]);
    vitals.memory = 0.88;
    look(8);
    assert.equal(overload.cause, "memory");
    vitals.memory = 0.8;
    look(4);
    assert.equal(overload.cause, "event_loop");
  });

  test("of memory is none when what fills it is not needed, and ends although nobody collects it", () => {
    const { overload, vitals, said, look } = watched();
    vitals.garbage = 0.75;
    look(4);
    assert.deepEqual([said, vitals.tidied], [[], 1]);
    vitals.memory = 0.95;
    look(2);
    assert.equal(overload.cause, "memory");
    vitals.memory = 0.3;
    vitals.garbage = 0.65;
    look(12);
    assert.equal(overload.cause, "memory", "it is tidied every five seconds at most");
    look(10);
    assert.equal(overload.cause, null);
    assert.equal(vitals.tidied, 2);
  });

  test("of memory that lasts is tidied in a twentieth of the time", () => {
    const { vitals, look } = watched();
    vitals.memory = 0.95;
    vitals.tidyMs = 1_000;
    look(4 * 50);
    assert.equal(vitals.tidied, 3);
  });

  test("asks every client to leave when memory is short, and one in ten when time is", () => {
    const { overload, vitals, look, chances } = watched();
    assert.equal(overload.dismisses, false);
    vitals.late = 900;
    look(2);
    chances.next = 0.09;
    assert.equal(overload.dismisses, true);
    chances.next = 0.11;
    assert.equal(overload.dismisses, false);
    vitals.memory = 0.95;
    look(2);
    assert.equal(overload.dismisses, true);
  });

  test("is not looked for where the threshold is 0, and ends when a reload says so", () => {
    const { overload, vitals, look } = watched();
    vitals.late = 900;
    vitals.memory = 0.99;
    look(2);
    overload.configure(config("0ms", 0));
    look(4);
    assert.deepEqual(overload.causes, []);
    look(10);
    assert.deepEqual(overload.causes, []);
  });
});
