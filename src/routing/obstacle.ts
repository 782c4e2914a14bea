import type { DecisionInputs, Facts, Obstacle } from "./decision.ts";
import { lags } from "./lag.ts";
import type { Region } from "./region.ts";
import { isDisowned, takesWrites } from "./writers.ts";

/** Why this region may not take this write; null when it may. */
export function writeObstacle(region: Region, inputs: DecisionInputs): Obstacle | null {
  const { facts, view, rules, tried } = inputs;
  if (!allowed(region, facts)) return "residency";
  if (region.fenced) return "fenced";
  if (!takesWrites(region, view, rules)) return "not-writer";
  if (isDisowned(region, view)) return "disowned";
  if (region.admission === "closed") return "closed";
  if (tried.includes(region.id)) return "tried";
  return view.vouched && region.id === view.writeRegion ? null : healthObstacle(region);
}

/** Why this region may not serve this read; null when it may. */
export function readObstacle(region: Region, inputs: DecisionInputs): Obstacle | null {
  const { facts, view, rules, tried } = inputs;
  if (!allowed(region, facts)) return "residency";
  if (region.fenced) return "fenced";
  if (region.admission === "closed") return "closed";
  if (tried.includes(region.id)) return "tried";
  const unwell = healthObstacle(region);
  if (unwell) return unwell;
  if (facts.identified && facts.intent === "read" && lags(region, view, rules)) return "lagging";
  const returning = facts.intent === "read" && facts.affinity === region.id;
  return region.admission === "draining" && !returning ? "draining" : null;
}

export function allowed(region: Region, facts: Facts): boolean {
  if (facts.jurisdictions === null) return true;
  return region.jurisdiction !== null && facts.jurisdictions.includes(region.jurisdiction);
}

/**
 * Whether the law leaves this request no region: it bars some, and of the others none may be asked. Which of them takes
 * writes, or has the user's, is no longer the question then.
 */
export function isStranded(inputs: DecisionInputs): boolean {
  const { facts, view } = inputs;
  if (facts.jurisdictions === null) return false;
  const bars = view.regions.some((region) => !allowed(region, facts));
  return bars && !view.regions.some((region) => allowed(region, facts) && mayBeAsked(region, inputs));
}

function mayBeAsked(region: Region, { view, tried }: DecisionInputs): boolean {
  if (region.fenced || region.admission === "closed" || tried.includes(region.id)) return false;
  return serves(region) || (view.vouched && region.id === view.writeRegion);
}

export function serves(region: Region): boolean {
  return region.health === "up" || region.health === "degraded";
}

export function healthObstacle(region: Region): "unknown" | "down" | null {
  return region.health === "unknown" || region.health === "down" ? region.health : null;
}

export function ignoringHealth(obstacle: Obstacle | null): Obstacle | null {
  return obstacle === "unknown" || obstacle === "down" ? null : obstacle;
}
