import type { Decision, DecisionInputs, PinReading, Reason, Refused, Routed, Verdict } from "./decision.ts";
import { allowed, ignoringHealth, readObstacle, serves, writeObstacle } from "./obstacle.ts";
import { bestTier, byPolicy, policyReason, preference } from "./policy.ts";
import type { Region, View } from "./region.ts";
import { takesWrites } from "./writers.ts";

/**
 * Which region serves this request, and why. Precedence: residency, write rule, pin, affinity, policy.
 * Pure: the same arguments give the same decision, which is how `explain` and the decision log work.
 */
export function decide(inputs: DecisionInputs): Decision {
  const { facts, pin, view } = inputs;
  if (facts.intent === "write") return decideWrite(inputs);
  if (facts.intent === "read" && holds(pin)) return decidePinned(inputs);
  const decision = decideRead(inputs);
  return pin === "waived" && facts.intent === "read" ? markUnlessWriter(decision, view) : decision;
}

/**
 * Whether this decision may only be followed once the pin has been asked for: it was not, and the choice is not
 * a writer. With several writers the pin also says which one, so it is always asked.
 */
export function needsPin(decision: Decision, { facts, pin, view, rules }: DecisionInputs): boolean {
  if (pin !== "unasked" || facts.intent !== "read") return false;
  if (decision.kind === "refused" || rules.topology === "multi-writer") return true;
  return decision.region !== view.writeRegion;
}

/** Why each region was kept or dropped by this decision, in the order of the view. */
export function verdicts(decision: Decision, inputs: DecisionInputs): readonly Verdict[] {
  const { facts, pin, view } = inputs;
  const chosen = decision.kind === "routed" ? decision.region : null;
  const stale = decision.kind === "routed" && decision.consistency === "stale";
  const writersOnly = facts.intent === "write" || (facts.intent === "read" && holds(pin) && !stale);
  return view.regions.map((region) => {
    if (region.id === chosen) return { region: region.id, obstacle: null };
    const obstacle = writersOnly ? writeObstacle(region, inputs) : readObstacle(region, inputs);
    return { region: region.id, obstacle: obstacle ?? (region.warmth < 1 ? "warming" : "less-preferred") };
  });
}

function decideWrite(inputs: DecisionInputs): Decision {
  const writer = chooseWriter(inputs);
  return writer ? routed(writer, retryOr(inputs, "write")) : refuseWriter(inputs);
}

function decidePinned(inputs: DecisionInputs): Decision {
  const { pin, rules } = inputs;
  const writer = chooseWriter(inputs);
  if (writer) return routed(writer, retryOr(inputs, pin === "pinned" ? "pin" : "pin-unknown"));
  return rules.whenWriterDown === "refuse" ? refuseWriter(inputs) : mark(decideRead(inputs), "stale");
}

/** What may be a pin is treated as one. */
function holds(pin: PinReading): boolean {
  return pin === "pinned" || pin === "unknown";
}

/** The writer for this user: where the session is when that writes, else the nearest that does. */
function chooseWriter(inputs: DecisionInputs): Region | null {
  const { facts, view } = inputs;
  const home = facts.affinity === null ? undefined : view.byId.get(facts.affinity);
  if (home && writeObstacle(home, inputs) === null) return home;
  const able = view.nearest.filter((region) => writeObstacle(region, inputs) === null);
  return able.find((region) => region.admission === "open") ?? able[0] ?? lastWriter(inputs);
}

/** When every region is down the probes are more likely wrong than the fleet: try the writer all the same. */
function lastWriter(inputs: DecisionInputs): Region | null {
  const { view, rules } = inputs;
  if (rules.whenAllDown === "refuse" || view.regions.some(serves)) return null;
  const blind = (region: Region) => ignoringHealth(writeObstacle(region, inputs)) === null;
  return view.nearest.find(blind) ?? null;
}

function refuseWriter(inputs: DecisionInputs): Refused {
  const { facts, view, rules } = inputs;
  const writers = view.regions.filter((region) => takesWrites(region, view, rules));
  const banned = writers.length > 0 && writers.every((region) => !allowed(region, facts));
  return { kind: "refused", fault: banned ? "residency" : "writer_down" };
}

function decideRead(inputs: DecisionInputs): Decision {
  const { facts, view, rules } = inputs;
  const able = (region: Region) => readObstacle(region, inputs) === null;
  const home =
    facts.intent === "static" || facts.affinity === null ? undefined : view.byId.get(facts.affinity);
  if (home && able(home)) return routed(home, retryOr(inputs, "affinity"));

  const chosen = byPolicy(bestTier(preference(view, rules).filter(able)), rules, facts.chance);
  if (chosen) return routed(chosen, retryOr(inputs, policyReason(chosen, home, inputs)));
  return decideWithoutChoice(inputs);
}

/** Nothing that is open, up and fresh is left: draining regions first, then lagging ones, then hope. */
function decideWithoutChoice(inputs: DecisionInputs): Decision {
  const { view, rules } = inputs;
  const order = preference(view, rules);
  const obstacle = (region: Region) => readObstacle(region, inputs);
  const draining = order.find((region) => obstacle(region) === "draining");
  if (draining) return routed(draining, retryOr(inputs, "failover"));

  const lagging = order.find((region) => obstacle(region) === "lagging");
  if (lagging) {
    if (rules.whenWriterDown === "refuse") return { kind: "refused", fault: "no_fresh_region" };
    return { ...routed(lagging, retryOr(inputs, "failover")), consistency: "stale" };
  }
  const hope = order.find((region) => ignoringHealth(obstacle(region)) === null);
  if (hope && rules.whenAllDown === "try") return routed(hope, "last-resort");
  return refuseRead(inputs);
}

function refuseRead(inputs: DecisionInputs): Refused {
  const { facts, view } = inputs;
  const barred = view.regions.filter((region) => !allowed(region, facts));
  return { kind: "refused", fault: barred.length > 0 ? "residency" : "no_region" };
}

function routed(region: Region, reason: Reason): Routed {
  return { kind: "routed", region: region.id, reason, consistency: null };
}

function retryOr({ attempts }: DecisionInputs, reason: Reason): Reason {
  return attempts > 0 ? "retry" : reason;
}

function mark(decision: Decision, consistency: "stale" | "degraded"): Decision {
  return decision.kind === "routed" ? { ...decision, consistency } : decision;
}

/** A possibly pinned reader who lands on the write region all the same has lost nothing. */
function markUnlessWriter(decision: Decision, view: View): Decision {
  if (decision.kind === "refused" || decision.region === view.writeRegion) return decision;
  return mark(decision, "degraded");
}
