import type { DecisionInputs, Facts, Reason } from "./decision.ts";
import { allowed, healthObstacle } from "./obstacle.ts";
import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";

/** Every region in the order in which the policy likes them; `weighted` has no order but the file's. */
export function preference(view: View, rules: Rules): readonly Region[] {
  return rules.policy === "latency" ? view.nearest : view.regions;
}

/** The best of: healthy, degraded, standby. A standby serves only when nothing better is up. */
export function bestTier(able: readonly Region[]): readonly Region[] {
  const tier = (region: Region) =>
    (region.role === "standby" ? 2 : 0) + (region.health === "degraded" ? 1 : 0);
  const best = Math.min(...able.map(tier));
  return able.filter((region) => tier(region) === best);
}

export function byPolicy(able: readonly Region[], rules: Rules, chance: number): Region | undefined {
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
export function policyReason(chosen: Region, home: Region | undefined, inputs: DecisionInputs): Reason {
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
