import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventBus } from "../../src/events.ts";
import { DecisionRing } from "../../src/observe/decisions.ts";
import { record } from "./observe-samples.ts";

function ringOf(capacity: number | undefined, ids: readonly string[]) {
  const events = new EventBus();
  const ring = new DecisionRing(events, capacity);
  for (const [index, id] of ids.entries()) events.emit("requestDone", record({ id, bytesOut: index }));
  return { events, ring };
}

const idsOf = (ring: DecisionRing, count: number) => ring.recent(count).map(({ id }) => id);

describe("the decision ring", () => {
  it("finds a request by its id, and answers null for one it does not know", () => {
    const { ring } = ringOf(3, ["a", "b"]);
    assert.equal(ring.get("b")?.id, "b");
    assert.equal(ring.get("z"), null);
  });

  it("forgets the oldest first", () => {
    const { ring } = ringOf(3, ["a", "b", "c", "d"]);
    assert.equal(ring.get("a"), null);
    assert.deepEqual(idsOf(ring, 10), ["d", "c", "b"]);
  });

  it("lists the latest first, before and after it has wrapped", () => {
    assert.deepEqual(idsOf(ringOf(5, ["a", "b", "c"]).ring, 2), ["c", "b"]);
    assert.deepEqual(idsOf(ringOf(3, ["a", "b", "c", "d", "e"]).ring, 2), ["e", "d"]);
    assert.deepEqual(idsOf(ringOf(3, []).ring, 2), []);
  });

  it("finds the later of two requests with one id, also when the earlier is forgotten", () => {
    const { ring } = ringOf(3, ["same", "b", "same", "d"]);
    assert.equal(ring.get("same")?.bytesOut, 2);
    assert.deepEqual(idsOf(ring, 3), ["d", "same", "b"]);
  });

  it("keeps the last 10,000 when nothing else is said", () => {
    const ids = Array.from({ length: 10_001 }, (_, index) => String(index));
    const { ring } = ringOf(undefined, ids);
    assert.equal(ring.get("0"), null);
    assert.equal(ring.get("1")?.id, "1");
    assert.equal(ring.recent(20_000).length, 10_000);
  });

  it("stops listening when it is closed", () => {
    const { events, ring } = ringOf(3, ["a"]);
    ring.close();
    events.emit("requestDone", record({ id: "b" }));
    assert.equal(ring.get("b"), null);
  });
});
