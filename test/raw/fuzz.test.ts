import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { type StartedLane, startEdgeLane } from "./edge-lane.ts";
import { regionsSeeOnlyWhatWasSent } from "./fuzz/framing.ts";
import { blowUpsOf, READERS } from "./fuzz/growth.ts";
import { TEXT_PROPERTIES } from "./fuzz/texts.ts";
import { startNaiveProxy } from "./naive-proxy.ts";

/** A longer run: `npm run fuzz -- --runs N --seed S`, with the seed that a failure here tells. */
const LANES = 4;
const CONVERSATIONS = 150;
const TEXTS = 200;

const lanes: readonly StartedLane[] = await Promise.all(Array.from({ length: LANES }, () => startEdgeLane()));
after(() => Promise.all(lanes.map((lane) => lane.stop())));

test("whatever is sent, a region sees only requests that a strict reader finds in it", async () => {
  await fc.assert(regionsSeeOnlyWhatWasSent(lanes), { numRuns: CONVERSATIONS });
});

test("the same finds a proxy that passes on what has two readings", async (t) => {
  const lane = await startNaiveProxy();
  t.after(() => lane.stop());
  const found = await fc.check(regionsSeeOnlyWhatWasSent([lane]), { numRuns: 500, endOnFailure: true });
  assert.ok(found.failed);
});

for (const { name, property } of TEXT_PROPERTIES) {
  test(name, async () => {
    await fc.assert(property, { numRuns: TEXTS });
  });
}

for (const reader of READERS) {
  test(`no text takes more than its length is worth to be read: ${reader.name}`, () => {
    assert.deepEqual(blowUpsOf(reader), []);
  });
}

test("a reader whose time grows with the square of a text is found", () => {
  const read = (text: string): unknown => text.replace(/\s+$/, "");
  const texts = [(size: number): string => `${" ".repeat(size)}x`];
  assert.deepEqual(blowUpsOf({ name: "spaces", read, texts, most: 1 << 15 }), [0]);
});
