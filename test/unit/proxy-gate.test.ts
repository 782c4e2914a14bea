import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate, type Wish } from "../../src/proxy/gate.ts";

const time = { nowMs: 0 };
const newGate = () => new Gate(() => time.nowMs);
const wish = (limit: number, more: Partial<Wish> = {}): Wish => ({
  limit,
  waitMs: 1_000,
  mostWaiting: 100,
  arriving: false,
  leaving: () => () => {},
  ...more,
});

/** A place that there is at once. */
function entered(gate: Gate, wanted: Wish) {
  const place = gate.enter(wanted);
  assert.ok(place !== null && !(place instanceof Promise));
  return place;
}

test("lets in as many as there is room for, and the next when one leaves", async () => {
  const gate = newGate();
  const first = entered(gate, wish(1));
  const second = gate.enter(wish(1));
  assert.deepEqual([gate.inside, gate.waiting], [1, 1]);
  first.leave();
  assert.notEqual(await second, null);
  assert.deepEqual([gate.inside, gate.waiting], [1, 0]);
});

test("lets nobody wait for longer than it was told to", async () => {
  const gate = newGate();
  entered(gate, wish(1));
  assert.equal(await gate.enter(wish(1, { waitMs: 20 })), null);
});

test("lets no more wait than it was told to", async () => {
  const gate = newGate();
  const inside = entered(gate, wish(1));
  const waiting = gate.enter(wish(1, { mostWaiting: 1 }));
  assert.equal(gate.enter(wish(1, { mostWaiting: 1 })), null);
  inside.leave();
  assert.notEqual(await waiting, null);
});

test("one who leaves while it waits frees its place in the queue", async () => {
  const gate = newGate();
  const first = entered(gate, wish(1));
  let leave = (): void => {};
  const leaving: Wish["leaving"] = (listener) => {
    leave = listener;
    return () => {};
  };
  const gone = gate.enter(wish(1, { leaving }));
  const patient = gate.enter(wish(1));
  leave();
  assert.equal(await gone, null);
  first.leave();
  assert.notEqual(await patient, null);
});

test("a raised limit lets in who waits before who comes", async () => {
  const gate = newGate();
  entered(gate, wish(1));
  const waiting = gate.enter(wish(1));
  entered(gate, wish(3));
  assert.notEqual(await waiting, null);
});

test("a lowered limit holds as soon as enough have left", async () => {
  const gate = newGate();
  const places = [1, 2, 3].map(() => entered(gate, wish(3)));
  const waiting = gate.enter(wish(1, { waitMs: 50 }));
  places[0]?.leave();
  places[1]?.leave();
  assert.equal(await waiting, null);
});

test("bodies that have not arrived get half of the places, and hold up nobody else", async () => {
  const gate = newGate();
  const slow = [1, 2].map(() => entered(gate, wish(4, { arriving: true })));
  const third = gate.enter(wish(4, { arriving: true }));
  const others = [1, 2].map(() => entered(gate, wish(4)));
  const fifth = gate.enter(wish(4));
  assert.equal(gate.waiting, 2);
  others[0]?.leave();
  assert.notEqual(await fifth, null, "who came later, but may enter");
  slow[0]?.arrived();
  others[1]?.leave();
  assert.notEqual(await third, null);
  assert.equal(gate.inside, 4);
});

test("of those who may enter, who came first is the first", async () => {
  const gate = newGate();
  const inside = entered(gate, wish(1));
  const order: string[] = [];
  const enter = async (name: string, arriving: boolean) => {
    const place = await gate.enter(wish(1, { arriving }));
    order.push(name);
    place?.leave();
  };
  const all = [enter("upload", true), enter("read", false), enter("upload too", true)];
  inside.leave();
  await Promise.all(all);
  assert.deepEqual(order, ["upload", "read", "upload too"]);
});

test("whose client has not read for the longest is cut when others wait, and nobody who reads", async () => {
  const gate = newGate();
  const cut: string[] = [];
  const [slow, slower, reading] = [1, 2, 3].map(() => entered(gate, wish(3)));
  slower?.stalled(time.nowMs, () => {
    cut.push("slower");
    slower.leave();
  });
  time.nowMs += 1_000;
  slow?.stalled(time.nowMs, () => cut.push("slow"));
  reading?.stalled(time.nowMs, () => cut.push("reading"));
  reading?.moving();
  time.nowMs += 3_000;
  const impatient = gate.enter(wish(3, { waitMs: 20 }));
  assert.deepEqual(cut, [], "not for a moment's stall");
  assert.equal(await impatient, null);
  time.nowMs += 1_000;
  assert.notEqual(await gate.enter(wish(3)), null);
  assert.deepEqual(cut, ["slower"]);
});

test("a body that ends after its request has left frees no second place", () => {
  const gate = newGate();
  const first = entered(gate, wish(4, { arriving: true }));
  const second = entered(gate, wish(4, { arriving: true }));
  first.leave();
  first.arrived();
  entered(gate, wish(4, { arriving: true }));
  assert.ok(gate.enter(wish(4, { arriving: true })) instanceof Promise);
  second.leave();
});
