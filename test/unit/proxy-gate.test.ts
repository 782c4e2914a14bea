import assert from "node:assert/strict";
import { test } from "node:test";
import { Gates } from "../../src/proxy/gate.ts";
import type { Endpoint } from "../../src/regions/table.ts";

const ENDPOINT = { origin: "http://10.0.0.1" } as Endpoint;
const stays = () => () => {};

test("lets in as many as there is room for, and the next when one leaves", async () => {
  const gates = new Gates();
  assert.equal(gates.enter(ENDPOINT, 1, 1_000, stays), true);
  const second = gates.enter(ENDPOINT, 1, 1_000, stays);
  gates.leave(ENDPOINT);
  assert.equal(await second, true);
});

test("lets nobody wait for longer than it was told to", async () => {
  const gates = new Gates();
  gates.enter(ENDPOINT, 1, 1_000, stays);
  assert.equal(await gates.enter(ENDPOINT, 1, 20, stays), false);
});

test("one who leaves while it waits frees its place in the queue", async () => {
  const gates = new Gates();
  gates.enter(ENDPOINT, 1, 1_000, stays);
  let leave = (): void => {};
  const gone = gates.enter(ENDPOINT, 1, 1_000, (listener) => {
    leave = listener;
    return () => {};
  });
  const patient = gates.enter(ENDPOINT, 1, 1_000, stays);
  leave();
  assert.equal(await gone, false);
  gates.leave(ENDPOINT);
  assert.equal(await patient, true);
});

test("a raised limit lets in who waits before who comes", async () => {
  const gates = new Gates();
  gates.enter(ENDPOINT, 1, 1_000, stays);
  const waiting = gates.enter(ENDPOINT, 1, 1_000, stays);
  assert.equal(gates.enter(ENDPOINT, 3, 1_000, stays), true);
  assert.equal(await waiting, true);
});

test("a lowered limit holds as soon as enough have left", async () => {
  const gates = new Gates();
  for (let i = 0; i < 3; i += 1) gates.enter(ENDPOINT, 3, 1_000, stays);
  const waiting = gates.enter(ENDPOINT, 1, 50, stays);
  gates.leave(ENDPOINT);
  gates.leave(ENDPOINT);
  assert.equal(await waiting, false);
});
