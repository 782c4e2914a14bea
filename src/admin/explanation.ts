import { decide, verdicts } from "../routing/decide.ts";
import type { Decision, DecisionInputs, Verdict } from "../routing/decision.ts";
import type { Region } from "../routing/region.ts";

/** One region as a decision saw it, and what became of it. Everything here is data, ready for JSON. */
export interface RegionExplained extends Region {
  readonly verdict: "serves" | "dropped";
  /** Why it was dropped; null for the one that serves. */
  readonly obstacle: Verdict["obstacle"];
}

/** A decision with all that led to it. It holds no identity, cookie or query string. */
export interface Explanation {
  readonly decision: Decision;
  readonly facts: DecisionInputs["facts"];
  readonly pin: DecisionInputs["pin"];
  readonly hold: DecisionInputs["hold"];
  readonly rules: DecisionInputs["rules"];
  readonly tried: readonly string[];
  readonly regions: readonly RegionExplained[];
}

/** Explains the decision that these inputs lead to. Deciding is pure, so it is the one that was or would be made. */
export function explain(inputs: DecisionInputs): Explanation {
  const decision = decide(inputs);
  const { facts, pin, hold, rules, tried, view } = inputs;
  const obstacles = new Map(verdicts(decision, inputs).map(({ region, obstacle }) => [region, obstacle]));
  const regions = view.regions.map((region): RegionExplained => {
    const obstacle = obstacles.get(region.id) ?? null;
    return { ...region, verdict: obstacle === null ? "serves" : "dropped", obstacle };
  });
  return { decision, facts, pin, hold, rules, tried, regions };
}
