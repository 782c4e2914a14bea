import type { Pins } from "../consistency/pins.ts";
import { type DecisionInputs, decide, type PinReading } from "../routing/decide.ts";
import type { View } from "../routing/region.ts";
import { takesWrites } from "../routing/writers.ts";
import type { Reading } from "./reading.ts";
import type { Settings } from "./settings.ts";

/**
 * What a request is decided by. The pin store is asked only when the decision can depend on its answer: not for
 * a write, not when this edge or the client's token already says pinned, not for nobody, and not when the choice
 * without a pin is a writer anyway. Most requests need no round trip, and then there is no promise either.
 */
export function decisionInputs(
  { facts, pids, tokenRemainingMs, carriesCookie }: Reading,
  { rules, config }: Settings,
  view: View,
  pins: Pins,
): DecisionInputs | Promise<DecisionInputs> {
  const inputs = (pin: PinReading): DecisionInputs => ({ facts, pin, view, rules, tried: [] });
  const free = inputs("free");
  if (config.consistency.mode === "off" || facts.intent !== "read") return free;
  if (pins.known(pids.read, tokenRemainingMs) === "pinned") return inputs("pinned");
  if (pids.read.length === 0) return free;
  const nearest = decide(free);
  const region = nearest.kind === "routed" ? view.byId.get(nearest.region) : undefined;
  if (region && takesWrites(region, view, rules)) return free;
  return pins.read(pids.read, { carriesToken: carriesCookie }).then(inputs);
}
