import assert from "node:assert/strict";
import { test } from "node:test";
import { balance, type Candidate } from "../../src/regions/balance.ts";
import type { Health } from "../../src/routing/region.ts";

interface Named extends Candidate {
  readonly name: string;
}

/** `"a up 3"`, `"b degraded drain"`: name, health, requests in flight or a wish to be drained. */
function endpoint(words: string): Named {
  const [name = "", health = "up", ...rest] = words.split(" ");
  const load = rest.find((word) => word !== "drain");
  const draining = rest.includes("drain");
  return { name, health: health as Health, draining, requestsInFlight: Number(load ?? 0) };
}

/** Which endpoints are chosen over many evenly spread draws. */
function chosen(region: readonly string[], avoid: readonly string[] = []): string {
  const endpoints = region.map(endpoint);
  const tried = new Set(endpoints.filter(({ name }) => avoid.includes(name)));
  const draws = Array.from({ length: 144 }, (_, n) => [(n % 12) / 12, Math.floor(n / 12) / 12]);
  const names = draws.map((chances) => balance(endpoints, tried, () => chances.shift() ?? 0)?.name ?? "none");
  return [...new Set(names)].sort().join(" ");
}

const rows: readonly [
  sentence: string,
  region: readonly string[],
  avoid: readonly string[],
  names: string,
][] = [
  ["takes the only endpoint", ["a up"], [], "a"],
  ["spreads over equals", ["a up", "b up", "c up"], [], "a b c"],
  ["takes the one with fewer requests in flight", ["a up 9", "b up 2"], [], "b"],
  ["never takes the busiest of three", ["a up 9", "b up 2", "c up 3"], [], "b c"],
  ["leaves out those that are down", ["a down", "b up", "c unknown"], [], "b"],
  ["takes a degraded one only when none is up", ["a degraded", "b up 99"], [], "b"],
  ["takes a degraded one when none is up", ["a degraded", "b down"], [], "a"],
  ["leaves a draining one alone", ["a up drain", "b up 99"], [], "b"],
  ["takes a degraded one before a draining one", ["a up drain", "b degraded"], [], "b"],
  ["takes a draining one before one that is down", ["a up drain", "b down"], [], "a"],
  ["goes to another endpoint after a failure", ["a up", "b up 99"], ["a"], "b"],
  ["takes anything as a last resort", ["a down", "b unknown"], [], "a b"],
  ["takes no last resort for a second attempt", ["a up", "b down", "c unknown"], ["a"], "none"],
  ["takes no last resort after a last resort", ["a down", "b down"], ["a"], "none"],
  ["takes a degraded one for a second attempt", ["a up", "b down", "c degraded"], ["a"], "c"],
  ["takes a draining one for a second attempt", ["a up", "b down", "c up drain"], ["a"], "c"],
  ["gives up when all were tried", ["a up", "b down"], ["a", "b"], "none"],
  ["has nothing to give in an empty region", [], [], "none"],
];

for (const [sentence, region, avoid, names] of rows) {
  test(`a region ${sentence}`, () => assert.equal(chosen(region, avoid), names));
}
