import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decide, needsPin, verdicts } from "../../src/routing/decide.ts";
import type { DecisionInputs } from "../../src/routing/decision.ts";
import { hasLost, releases } from "../../src/routing/hold.ts";
import type { Region } from "../../src/routing/region.ts";
import { isDisowned, takesWrites } from "../../src/routing/writers.ts";
import { someInputs } from "./some-inputs.ts";

function always(sentence: string, holds: (inputs: DecisionInputs) => void): void {
  test(sentence, () => fc.assert(fc.property(someInputs, holds), { numRuns: 3_000 }));
}

function chosen(given: DecisionInputs): Region | undefined {
  const decision = decide(given);
  return decision.kind === "routed" ? given.view.byId.get(decision.region) : undefined;
}

always("the same inputs give the same decision", (given) => {
  assert.deepEqual(decide(given), decide(given));
});

always("a decision names a region of the view", (given) => {
  if (decide(given).kind === "routed") assert.ok(chosen(given));
});

always("no decision ever breaks residency", (given) => {
  const region = chosen(given);
  const { jurisdictions } = given.facts;
  if (region && jurisdictions)
    assert.ok(region.jurisdiction !== null && jurisdictions.includes(region.jurisdiction));
});

always(
  "who is held in jurisdictions without a region up is refused for residency, unless all is down",
  (given) => {
    const { facts, view, tried, rules } = given;
    const { jurisdictions } = facts;
    if (jurisdictions === null) return;
    const within = view.regions.filter(({ jurisdiction }) => jurisdictions.includes(jurisdiction ?? ""));
    const up = ({ health }: Region) => health === "up" || health === "degraded";
    const isAsked = (one: Region) => up(one) || (view.vouched && one.id === view.writeRegion);
    const isServed = within.some(
      (one) => isAsked(one) && !one.fenced && one.admission !== "closed" && !tried.includes(one.id),
    );
    if (isServed || within.length === view.regions.length) return;
    if (rules.whenAllDown === "try" && !view.regions.some(up)) return;
    assert.deepEqual(decide(given), { kind: "refused", fault: "residency" });
  },
);

always("nothing goes to a closed region, nor to one that was tried", (given) => {
  const region = chosen(given);
  if (region) assert.ok(region.admission !== "closed" && !given.tried.includes(region.id));
});

always("a write goes to a region that takes writes, or is refused", (given) => {
  const region = chosen(given);
  if (region && given.facts.intent === "write") assert.ok(takesWrites(region, given.view, given.rules));
});

always("a possibly pinned reader goes where its writes are, is refused, or the answer says so", (given) => {
  const { facts, pin, hold, view, rules } = given;
  if (facts.intent !== "read" || pin === "free" || pin === "unasked") return;
  const decision = decide(given);
  if (decision.kind === "refused" || decision.consistency !== null) return;
  const region = chosen(given);
  assert.ok(region);
  if (takesWrites(region, view, rules)) return;
  assert.ok(pin === "pinned" && hold && rules.topology === "single-writer" && releases(region, hold, view));
});

always("with several writers, who has written reads there and nowhere else, or is told so", (given) => {
  const { facts, hold, rules } = given;
  if (facts.intent === "static" || rules.topology === "single-writer" || hold === null) return;
  const decision = decide(given);
  if (decision.kind === "refused" || decision.consistency !== null) return;
  assert.ok(hold.regions.every((id) => id === decision.region));
});

always("a lost write is told to its user wherever the answer comes from", (given) => {
  const { facts, pin, hold, view } = given;
  if (facts.intent !== "read" || pin !== "pinned" || hold === null || !hasLost(hold, view)) return;
  const decision = decide(given);
  if (decision.kind === "routed") assert.equal(decision.consistency, "lost");
});

always("an unasked pin never leads to a replica: it is asked for first", (given) => {
  if (given.facts.intent !== "read" || given.pin !== "unasked") return;
  const region = chosen(given);
  if (needsPin(decide(given), given)) return;
  assert.ok(region && takesWrites(region, given.view, given.rules));
});

always(
  "a region that is down serves only as a last resort, as the vouched writer, or as it when all are down",
  (given) => {
    const decision = decide(given);
    const region = chosen(given);
    if (decision.kind === "refused" || !region || region.health === "up" || region.health === "degraded")
      return;
    if (given.view.vouched && region.id === given.view.writeRegion) return;
    assert.equal(given.rules.whenAllDown, "try");
    const last = decision.reason === "last-resort";
    assert.ok(last || given.view.regions.every(({ health }) => health === "down" || health === "unknown"));
  },
);

always("nobody is sent to a region that takes writes of an epoch that is over", (given) => {
  const decision = decide(given);
  if (decision.kind === "routed") assert.equal(given.view.byId.get(decision.region)?.fenced, false);
});

always("a reader is never refused while an open region of its jurisdiction is up and fresh", (given) => {
  const { view, rules, facts, tried, pin, hold } = given;
  if (
    facts.intent === "write" ||
    (facts.intent === "read" && (pin === "pinned" || pin === "unknown" || hold))
  )
    return;
  const fit = view.regions.some(
    (region) =>
      region.admission === "open" &&
      region.health === "up" &&
      !region.fenced &&
      !tried.includes(region.id) &&
      (facts.jurisdictions === null || facts.jurisdictions.includes(region.jurisdiction ?? "")) &&
      ((takesWrites(region, view, rules) && !isDisowned(region, view)) ||
        (region.lagMs ?? 9_999) <= rules.maxLagMs),
  );
  if (fit) assert.equal(decide(given).kind, "routed");
});

always("adding a farther region changes no decision of the latency policy", (given) => {
  const { facts, rules, view } = given;
  if (rules.policy !== "latency" || facts.intent !== "static") return;
  const decision = decide(given);
  if (decision.kind === "refused" || view.byId.get(decision.region)?.health !== "up") return;
  if (view.regions.some((one) => one.role === "standby" || one.latencyMs === null)) return;
  const far: Region = {
    id: "far",
    role: "replica",
    jurisdiction: null,
    weight: 1,
    health: "up",
    admission: "open",
    latencyMs: 9_999,
    lagMs: 0,
    applied: null,
    writer: null,
    fenced: false,
    warmth: 1,
  };
  if (view.byId.get(decision.region)?.warmth !== 1) return;
  // It serves for want of an open one, which the farther region is.
  if (view.byId.get(decision.region)?.admission === "draining") return;
  const wider = {
    regions: [...view.regions, far],
    nearest: [...view.nearest, far],
    byId: new Map([...view.byId, ["far", far]]),
  };
  assert.deepEqual(decide({ ...given, view: { ...view, ...wider } }), decision);
});

always("exactly the chosen region is without an obstacle", (given) => {
  const decision = decide(given);
  const free = verdicts(decision, given).filter(({ obstacle }) => obstacle === null);
  assert.deepEqual(
    free.map(({ region }) => region),
    decision.kind === "routed" ? [decision.region] : [],
  );
});
