import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES } from "./cases/all.ts";
import { startEdgeLane } from "./edge-lane.ts";
import { type Played, playAll } from "./play.ts";

/** Edges that play cases beside each other. */
const LANES = 4;

const lanes = await Promise.all(Array.from({ length: LANES }, () => startEdgeLane()));
const all = await playAll(CASES, lanes).finally(() => Promise.all(lanes.map((lane) => lane.stop())));

for (const played of all) {
  const { group, name, does } = played.given;
  test(`${group}: ${name}: ${does}`, () => check(played));
}

test("no two cases have the same name", () => {
  const names = CASES.map(({ group, name }) => `${group}: ${name}`);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});

function check({ given, observed, outcome }: Played): void {
  const shown = `\nclient got: ${observed.text.slice(0, 2_000)}\nregion got: ${observed.seen.slice(0, 4_000)}`;
  assert.ok(!outcome.poisoned, `poisoned${shown}`);
  assert.ok(!outcome.unsafe, `${outcome.verdict}, which is not safe${shown}`);
  assert.equal(outcome.verdict, given.does, shown);
  if (given.status !== null) assert.equal(outcome.status, given.status, shown);
  assert.ok(!outcome.reused, `the ${given.closes}'s connection was used again${shown}`);
  assert.equal(observed.next, "right", `the next client is served${shown}`);
  if (given.answer?.when === "head") assert.ok(observed.early, `the region was asked too late${shown}`);
  checkSeen(given, observed, shown);
}

function checkSeen({ sees }: Played["given"], { id, requests }: Played["observed"], shown: string): void {
  if (sees === undefined) return;
  const [seen] = requests;
  assert.ok(seen, `the region saw no request${shown}`);
  const meant = (text: string): string => text.replaceAll("{id}", id);
  const linesOf = (wanted: string): string[] =>
    seen.fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
  if (sees.method !== undefined) assert.equal(seen.method, sees.method, shown);
  if (sees.target !== undefined) assert.equal(seen.target, meant(sees.target), shown);
  if (sees.host !== undefined) assert.deepEqual(linesOf("host"), [sees.host], shown);
  if (sees.body !== undefined) assert.equal(seen.body, meant(sees.body), shown);
  for (const [name, lines] of Object.entries(sees.fields ?? {}))
    assert.deepEqual(linesOf(name), lines, `${name}${shown}`);
}
