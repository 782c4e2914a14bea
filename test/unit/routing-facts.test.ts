import assert from "node:assert/strict";
import { test } from "node:test";
import { affinityAfter } from "../../src/routing/affinity.ts";
import type { Reason } from "../../src/routing/decision.ts";
import { intentOf, type PathRule } from "../../src/routing/intent.ts";
import { jurisdictionsFor } from "../../src/routing/residency.ts";
import { READER } from "./routing-world.ts";

const PATHS: readonly PathRule[] = [
  { path: "/search", prefix: false, methods: ["POST"], as: "read" },
  { path: "/oauth/callback", prefix: false, methods: null, as: "write" },
  { path: "/assets/", prefix: true, methods: null, as: "static" },
];

for (const [method, path, intent] of [
  ["GET", "/", "read"],
  ["HEAD", "/", "read"],
  ["OPTIONS", "/", "read"],
  ["POST", "/", "write"],
  ["DELETE", "/", "write"],
  ["FROBNICATE", "/", "write"],
  ["POST", "/search", "read"],
  ["PUT", "/search", "write"],
  ["POST", "/search/deep", "write"],
  ["GET", "/oauth/callback", "write"],
  ["GET", "/assets/logo.png", "static"],
  ["GET", "/assets", "read"],
] as const) {
  test(`${method} ${path} is a ${intent}`, () => assert.equal(intentOf(method, path, PATHS), intent));
}

test("the first residency rule that matches decides, without regard to case", () => {
  const rules = [
    { header: "x-country", values: ["de", "fr"], jurisdictions: ["eu"] },
    { header: "x-country", values: ["de"], jurisdictions: ["us"] },
  ];
  const country = (value: string | undefined) => jurisdictionsFor(rules, () => value);
  assert.deepEqual(country("DE"), ["eu"]);
  assert.equal(country("US"), null);
  assert.equal(country(undefined), null);
});

function after(affinity: string | null, reason: Reason, consistency: "degraded" | null = null) {
  return affinityAfter({ ...READER, affinity }, { kind: "routed", region: "us", reason, consistency });
}

test("a first visit makes a home", () =>
  assert.deepEqual(after(null, "latency"), { result: "new", home: "us" }));
test("a session at home stays", () =>
  assert.deepEqual(after("us", "affinity"), { result: "hit", home: "us" }));
test("a session whose region could not serve moves", () => {
  assert.deepEqual(after("eu", "failover"), { result: "moved", home: "us" });
});
for (const detour of ["write", "pin", "pin-unknown", "retry", "last-resort"] as const) {
  test(`${detour} is a detour that leaves the session's home alone`, () => {
    assert.deepEqual(after("eu", detour), { result: "kept", home: null });
    assert.deepEqual(after(null, detour), { result: "none", home: null });
  });
}
test("a degraded answer makes no home", () => {
  assert.deepEqual(after("eu", "failover", "degraded"), { result: "kept", home: null });
});
