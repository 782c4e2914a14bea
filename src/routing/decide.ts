import type { Decision, DecisionInputs, Reason, Refused, Routed, Verdict } from "./decision.ts";
import { BY_WRITER, hasLost, releases, usesPositions } from "./hold.ts";
import { mayGoBack } from "./lag.ts";
import { allowed, ignoringHealth, isStranded, readObstacle, serves, writeObstacle } from "./obstacle.ts";
import { byPolicy, policyReason, preference } from "./policy.ts";
import type { Region, View } from "./region.ts";
import { isDisowned, takesWrites } from "./writers.ts";

/**
 * Which region serves this request, and why. Precedence: residency, write rule, pin, affinity, policy.
 * Pure: the same arguments give the same decision, which is how `explain` and the decision log work.
 */
export function decide(inputs: DecisionInputs): Decision {
  const { facts, pin } = inputs;
  if (isStranded(inputs) && !mayHope(inputs)) return { kind: "refused", fault: "residency" };
  if (facts.intent === "write") return decideWrite(inputs);
  if (facts.intent === "static") return decideRead(inputs);
  if (isHeld(inputs)) return markLost(decideHeld(inputs), inputs);
  const decision = decideForwards(decideRead(inputs), inputs);
  return pin === "waived" ? markUnlessWriter(decision, inputs) : decision;
}

/**
 * Whether this decision may only be followed once the pin has been asked for: it was not, and the choice is not
 * the write region. Then also while promotions are recent, since who has lost a write must be told so there too. With
 * several writers the pin says which one, so it is always asked, for a write as well.
 */
export function needsPin(decision: Decision, { facts, pin, view, rules }: DecisionInputs): boolean {
  if (pin !== "unasked" || facts.intent === "static") return false;
  if (rules.topology === "multi-writer") return true;
  if (facts.intent === "write") return false;
  return decision.kind === "refused" || !isWriteRegion(decision.region, view) || view.promotions.length > 0;
}

/** One that denies it may lack what others have written since. */
function isWriteRegion(id: string, view: View): boolean {
  const region = view.byId.get(id);
  return id === view.writeRegion && region !== undefined && !isDisowned(region, view);
}

/** Why each region was kept or dropped by this decision, in the order of the view. */
export function verdicts(decision: Decision, inputs: DecisionInputs): readonly Verdict[] {
  const chosen = decision.kind === "routed" ? decision.region : null;
  return inputs.view.regions.map((region) => {
    if (region.id === chosen) return { region: region.id, obstacle: null };
    const obstacle = obstacleOf(region, decision, inputs);
    return { region: region.id, obstacle: obstacle ?? (region.warmth < 1 ? "warming" : "less-preferred") };
  });
}

function obstacleOf(region: Region, decision: Decision, inputs: DecisionInputs): Verdict["obstacle"] {
  const { facts, hold } = inputs;
  if (facts.intent === "write") return writeObstacle(region, inputs);
  const stale = decision.kind === "routed" && decision.consistency === "stale";
  if (facts.intent === "static" || stale || !isHeld(inputs)) return readObstacle(region, inputs);
  const writes = writeObstacle(region, inputs);
  if (writes !== "not-writer" || hold === null || hold.open) return writes;
  return readObstacle(region, inputs) ?? (releases(region, hold, inputs.view) ? null : "behind");
}

function decideWrite(inputs: DecisionInputs): Decision {
  if (inputs.view.moving) return { kind: "refused", fault: "writer_moving" };
  const writer = chooseWriter(inputs);
  if (writer === null) return refuseWriter(inputs);
  return markElsewhere(routed(writer, retryOr(inputs, "write")), inputs);
}

/** What may be a pin is treated as one. */
function isHeld({ pin, hold }: DecisionInputs): boolean {
  return pin === "pinned" || pin === "unknown" || (pin === "unasked" && hold !== null);
}

function decideHeld(inputs: DecisionInputs): Decision {
  const { pin, hold, rules } = inputs;
  const home = decideReleased(inputs);
  if (home) return home;
  const writer = chooseWriter(inputs);
  const reason = pin === "unknown" && hold === null ? "pin-unknown" : "pin";
  if (writer) return markElsewhere(routed(writer, retryOr(inputs, reason)), inputs);
  const elsewhere = decideCaughtUp(inputs);
  if (elsewhere) return elsewhere;
  return rules.whenWriterDown === "refuse" ? refuseWriter(inputs) : mark(decideRead(inputs), "stale");
}

/** Where the user would be without a pin, if it is known there that nothing is missing. */
function decideReleased(inputs: DecisionInputs): Routed | null {
  const { view } = inputs;
  const decision = decideForwards(decideRead(inputs), inputs);
  if (decision.kind === "refused" || decision.consistency !== null) return null;
  const region = view.byId.get(decision.region);
  return region !== undefined && isReleasedTo(region, inputs) ? decision : null;
}

/** The writer cannot serve: whoever has applied what holds the user is as good. */
function decideCaughtUp(inputs: DecisionInputs): Decision | null {
  const { view } = inputs;
  const regions = view.regions.filter((region) => isReleasedTo(region, inputs));
  const byId = new Map(regions.map((region) => [region.id, region]));
  const nearest = view.nearest.filter(({ id }) => byId.has(id));
  const decision = decideRead({ ...inputs, view: { ...view, regions, byId, nearest } });
  if (decision.kind === "refused" || decision.consistency !== null) return null;
  if (decision.reason === "last-resort") return null;
  return decideForwards({ ...decision, reason: retryOr(inputs, "pin") }, inputs);
}

/**
 * By a pin that nobody was asked for it may only be hoped; {@link needsPin} then has it asked for. Several writers have
 * several logs, whose positions do not compare. And while the write region moves, a replica that is ahead of the new
 * one may be rewound, after it said what it had.
 */
function isReleasedTo(region: Region, { pin, hold, view, rules }: DecisionInputs): boolean {
  if (pin === "unknown" || hold === null || rules.topology === "multi-writer" || view.moving) return false;
  return !takesWrites(region, view, rules) && releases(region, hold, view);
}

/**
 * The writer for this user. With several: the one that took his last write, else where the session is, else the
 * nearest.
 */
function chooseWriter(inputs: DecisionInputs): Region | null {
  const { facts, hold, view, rules } = inputs;
  const homes = [...(hold?.regions ?? []), ...(facts.affinity === null ? [] : [facts.affinity])];
  for (const id of homes) {
    const home = view.byId.get(id);
    if (home && writeObstacle(home, inputs) === null) return home;
    if (mustStay(inputs)) return null;
  }
  const only = rules.topology === "single-writer" ? view.byId.get(view.writeRegion ?? "") : undefined;
  const able = (only === undefined ? view.nearest : [only]).filter(
    (region) => writeObstacle(region, inputs) === null,
  );
  return able.find((region) => region.admission === "open") ?? able[0] ?? lastWriter(inputs);
}

/** A reader whose writes are in a region that is down sees them nowhere else; unlike a writer, who can go on elsewhere. */
function mustStay({ facts, hold, rules }: DecisionInputs): boolean {
  const isBound = rules.topology === "multi-writer" && (hold?.regions.length ?? 0) > 0;
  return isBound && facts.intent === "read" && rules.whenWriterDown === "refuse";
}

/** When every region is down the probes are more likely wrong than the fleet. */
function mayHope({ view, rules }: DecisionInputs): boolean {
  return rules.whenAllDown === "try" && !view.regions.some(serves);
}

/** The writer all the same. */
function lastWriter(inputs: DecisionInputs): Region | null {
  const { view } = inputs;
  if (!mayHope(inputs)) return null;
  const blind = (region: Region) => ignoringHealth(writeObstacle(region, inputs)) === null;
  return view.nearest.find(blind) ?? null;
}

function refuseWriter(inputs: DecisionInputs): Refused {
  const { facts, view, rules } = inputs;
  const writers = view.regions.filter((region) => takesWrites(region, view, rules));
  const banned = writers.length > 0 && writers.every((region) => !allowed(region, facts));
  return { kind: "refused", fault: banned || isStranded(inputs) ? "residency" : "writer_down" };
}

function decideRead(inputs: DecisionInputs): Decision {
  const { facts, view, rules } = inputs;
  const able = (region: Region) => readObstacle(region, inputs) === null;
  const home =
    facts.intent === "static" || facts.affinity === null ? undefined : view.byId.get(facts.affinity);
  if (home && able(home)) return routed(home, retryOr(inputs, "affinity"));

  const chosen = byPolicy(preference(view, rules), able, rules, facts.chance);
  if (chosen) return routed(chosen, retryOr(inputs, policyReason(chosen, home, inputs)));
  return decideWithoutChoice(inputs);
}

/**
 * A session that moves from one replica to another, or has just moved, reads from the writer until its new region has
 * all that the old one had. Without a writer it may go back in time, and is told so.
 */
function decideForwards(decision: Decision, inputs: DecisionInputs): Decision {
  const { facts, view, rules } = inputs;
  const from = facts.affinity;
  if (decision.kind === "refused" || from === null || decision.consistency !== null) return decision;
  const region = view.byId.get(decision.region);
  const sinceMs = from === decision.region ? facts.movedMs : 0;
  if (region === undefined || sinceMs === null || !mayGoBack(region, sinceMs, view, rules)) return decision;
  const writer = chooseWriter(inputs);
  if (writer === null) return mark(decision, "degraded");
  return { ...routed(writer, retryOr(inputs, "pin")), home: region.id };
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

function mark(decision: Decision, consistency: Routed["consistency"]): Decision {
  return decision.kind === "routed" ? { ...decision, consistency } : decision;
}

/** A possibly pinned reader who lands on the write region all the same has lost nothing. */
function markUnlessWriter(decision: Decision, { view }: DecisionInputs): Decision {
  if (decision.kind === "refused" || isWriteRegion(decision.region, view)) return decision;
  return mark(decision, "degraded");
}

/**
 * What the user wrote in an older epoch, and nobody has: nothing worse can be said of an answer. After a promotion it may be so
 * of whom not all is known, or of whose write nobody knows where it stands.
 */
function markLost(decision: Decision, { pin, hold, view }: DecisionInputs): Decision {
  if (hasLost(hold ?? BY_WRITER, view)) return mark(decision, "lost");
  if (decision.kind === "refused" || decision.consistency !== null) return decision;
  const isBlind = pin === "unknown" || hold?.open === true;
  const mayHaveLost = isBlind && view.promotions.length > 0 && usesPositions(view);
  return mayHaveLost ? mark(decision, "degraded") : decision;
}

/**
 * With several writers, one that has not taken all of the user's writes may lack those that others took; and while it
 * is not known who took them, any may.
 */
function markElsewhere(decision: Routed, { pin, hold, rules }: DecisionInputs): Routed {
  if (rules.topology !== "multi-writer") return decision;
  if (hold?.regions.some((id) => id !== decision.region)) return { ...decision, consistency: "stale" };
  return pin === "unknown" || pin === "waived" ? { ...decision, consistency: "degraded" } : decision;
}
