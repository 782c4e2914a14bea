import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CASES } from "./cases/all.ts";
import { startNaiveProxy } from "./naive-proxy.ts";
import { type Played, playAll } from "./play.ts";

async function play(t: TestContext, name: string): Promise<Played> {
  const cases = CASES.filter((each) => each.name === name);
  assert.equal(cases.length, 1, `there is one case ${name}`);
  const lane = await startNaiveProxy();
  t.after(() => lane.stop());
  const [played] = await playAll(cases, [lane]);
  assert.ok(played);
  return played;
}

test("a proxy that leaves a body without its framing is found to smuggle", async (t) => {
  const { outcome } = await play(t, "TE.0: a chunked body on DELETE is not the next request");
  assert.ok(outcome.poisoned);
});

test("a proxy that passes on what is to be refused, and goes on, is found out", async (t) => {
  const { outcome } = await play(t, "two Host lines (RFC 9112 §3.2)");
  assert.deepEqual([outcome.verdict, outcome.unsafe], ["passed", true]);
  const kept = await play(t, "TRACE, which shows what the edge adds (RFC 9110 §9.3.8)");
  assert.deepEqual([kept.outcome.verdict, kept.observed.after], ["passed", "right"]);
});

test("a proxy that gives a region's splitting to the client is found out", async (t) => {
  const { outcome } = await play(t, "what a region says to the edge alone");
  assert.equal(outcome.verdict, "passed");
});

test("a proxy that does nothing wrong is not blamed", async (t) => {
  const { outcome, observed } = await play(t, "a plain GET (RFC 9112 §3)");
  assert.deepEqual(outcome, {
    verdict: "passed",
    status: 200,
    unsafe: false,
    reused: false,
    poisoned: false,
  });
  assert.deepEqual([observed.after, observed.next], ["right", "right"]);
});
