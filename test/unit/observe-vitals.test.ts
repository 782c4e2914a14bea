import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ProcessVitals } from "../../src/observe/vitals.ts";

function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("an event loop that is late again and again is, one that was late once is not", async (t) => {
  const vitals = new ProcessVitals();
  t.after(() => vitals.close());
  for (let turn = 0; turn < 6; turn += 1) {
    block(100);
    await sleep(1);
  }
  const busyMs = vitals.lateMs();
  assert.ok(busyMs > 50, `${busyMs} ms`);
  block(500);
  for (let turn = 0; turn < 40; turn += 1) await sleep(5);
  const onceMs = vitals.lateMs();
  assert.ok(onceMs < 400, `${onceMs} ms`);
});

test("memory is filled by what is kept", (t) => {
  const vitals = new ProcessVitals();
  t.after(() => vitals.close());
  const before = vitals.memoryShare();
  assert.ok(before > 0 && before < 1, String(before));
  const kept = Array.from({ length: 3_000_000 }, (_, index) => ({ index }));
  assert.ok(vitals.memoryShare() > before, `${kept.length} objects`);
});
