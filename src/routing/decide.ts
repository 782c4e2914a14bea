import type { Intent } from "./intent.ts";
import { lags } from "./lag.ts";
import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";
import { takesWrites } from "./writers.ts";

/**
 * What is known of a user's pin. `unknown` is not `free`: the store did not answer, so the reader is
 * treated as pinned. `waived` is unknown too, but policy or budget lets it go elsewhere, marked. `unasked` holds
 * only as long as the choice is a writer anyway; see {@link needsPin}.
 */
export type PinReading = "free" | "pinned" | "unknown" | "waived" | "unasked";

/** Why a region was chosen; the word in `x-meridian-reason`, the log and the metric. */
export type Reason =
  | "write"
  | "pin"
  | "pin-unknown"
  | "affinity"
  | "latency"
  | "priority"
  | "weight"
  | "residency"
  | "failover"
  | "retry"
  | "static"
  | "last-resort";

/** Why a region was not chosen. */
export type Obstacle =
  | "residency"
  | "closed"
  | "tried"
  | "not-writer"
  | "unknown"
  | "down"
  | "draining"
  | "lagging"
  | "warming"
  | "less-preferred";

/** What the request says, read once. */
export interface Facts {
  readonly intent: Intent;
  /** Jurisdictions that may serve it; null when no residency rule matched. */
  readonly jurisdictions: readonly string[] | null;
  /** The region of its verified affinity cookie. */
  readonly affinity: string | null;
  readonly identified: boolean;
  /** Uniform in [0, 1): chance is an argument, so a decision can be replayed. */
  readonly chance: number;
}

/**
 * All that a decision depends on. Deciding is pure, so these are also all it takes to explain it later.
 * `tried` names the regions this request has already failed in.
 */
export interface DecisionInputs {
  readonly facts: Facts;
  readonly pin: PinReading;
  readonly view: View;
  readonly rules: Rules;
  readonly tried: readonly string[];
  /** Attempts made so far; whatever comes after the first is a retry. */
  readonly attempts: number;
}

export interface Routed {
  readonly kind: "routed";
  readonly region: string;
  readonly reason: Reason;
  /** What the answer must say when the guarantee is not the configured one. */
  readonly consistency: "degraded" | "stale" | null;
}

export interface Refused {
  readonly kind: "refused";
  readonly fault: "no_region" | "no_fresh_region" | "residency" | "writer_down";
}

export type Decision = Routed | Refused;

/** Why each region was kept or dropped; `obstacle` is null for the one that serves. */
export interface Verdict {
  readonly region: string;
  readonly obstacle: Obstacle | null;
}

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

/** Why this region may not take this write; null when it may. */
function writeObstacle(region: Region, inputs: DecisionInputs): Obstacle | null {
  const { facts, view, rules, tried } = inputs;
  if (!allowed(region, facts)) return "residency";
  if (!takesWrites(region, view, rules)) return "not-writer";
  if (region.admission === "closed") return "closed";
  if (tried.includes(region.id)) return "tried";
  return healthObstacle(region);
}

/** Why this region may not serve this read; null when it may. */
function readObstacle(region: Region, inputs: DecisionInputs): Obstacle | null {
  const { facts, view, rules, tried } = inputs;
  if (!allowed(region, facts)) return "residency";
  if (region.admission === "closed") return "closed";
  if (tried.includes(region.id)) return "tried";
  const unwell = healthObstacle(region);
  if (unwell) return unwell;
  if (facts.identified && facts.intent === "read" && lags(region, view, rules)) return "lagging";
  const returning = facts.intent === "read" && facts.affinity === region.id;
  return region.admission === "draining" && !returning ? "draining" : null;
}

function allowed(region: Region, facts: Facts): boolean {
  if (facts.jurisdictions === null) return true;
  return region.jurisdiction !== null && facts.jurisdictions.includes(region.jurisdiction);
}

function serves(region: Region): boolean {
  return region.health === "up" || region.health === "degraded";
}

function healthObstacle(region: Region): "unknown" | "down" | null {
  return region.health === "unknown" || region.health === "down" ? region.health : null;
}

function ignoringHealth(obstacle: Obstacle | null): Obstacle | null {
  return obstacle === "unknown" || obstacle === "down" ? null : obstacle;
}

/** Every region in the order in which the policy likes them; `weighted` has no order but the file's. */
function preference(view: View, rules: Rules): readonly Region[] {
  return rules.policy === "latency" ? view.nearest : view.regions;
}

/** The best of: healthy, degraded, standby. A standby serves only when nothing better is up. */
function bestTier(able: readonly Region[]): readonly Region[] {
  const tier = (region: Region) =>
    (region.role === "standby" ? 2 : 0) + (region.health === "degraded" ? 1 : 0);
  const best = Math.min(...able.map(tier));
  return able.filter((region) => tier(region) === best);
}

function byPolicy(able: readonly Region[], rules: Rules, chance: number): Region | undefined {
  return rules.policy === "weighted" ? drawWeighted(able, chance) : firstWarm(able, chance);
}

/**
 * The first region, but one that is still warming takes only its share and passes the rest on. What is left
 * of the chance is stretched to [0, 1) again, so that two warming regions do not draw the same lot.
 */
function firstWarm(able: readonly Region[], chance: number): Region | undefined {
  let left = chance;
  for (const region of able) {
    if (left < region.warmth) return region;
    left = (left - region.warmth) / (1 - region.warmth);
  }
  return able[0];
}

function drawWeighted(able: readonly Region[], chance: number): Region | undefined {
  const share = (region: Region) => region.weight * region.warmth;
  const total = able.reduce((sum, region) => sum + share(region), 0);
  let left = chance * total;
  for (const region of able) {
    left -= share(region);
    if (left < 0) return region;
  }
  return able[0];
}

/** `failover` when health took the first choice away, `residency` when the law did, else the policy. */
function policyReason(chosen: Region, home: Region | undefined, inputs: DecisionInputs): Reason {
  const { facts, view, rules } = inputs;
  if (chosen.role === "standby" || (home && healthObstacle(home))) return "failover";
  if (rules.policy === "weighted") return weightedReason(facts);
  const wanted = preference(view, rules).filter(
    (region) => region.admission === "open" && region.role !== "standby",
  );
  for (const region of wanted) {
    if (region === chosen) break;
    if (!allowed(region, facts)) return "residency";
    if (healthObstacle(region) || region.health === "degraded") return "failover";
  }
  return facts.intent === "static" ? "static" : rules.policy;
}

function weightedReason({ intent, jurisdictions }: Facts): Reason {
  if (jurisdictions !== null) return "residency";
  return intent === "static" ? "static" : "weight";
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
