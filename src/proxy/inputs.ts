import type { Headers } from "../consistency/identities.ts";
import type { Pins } from "../consistency/pins.ts";
import { decide, needsPin } from "../routing/decide.ts";
import type { Decision, DecisionInputs, PinReading } from "../routing/decision.ts";
import type { View } from "../routing/region.ts";
import { type Reading, readRequest } from "./reading.ts";
import type { Settings } from "./settings.ts";

/** A decision that may be followed, and what it was made of. */
export interface Decided {
  readonly decision: Decision;
  readonly inputs: DecisionInputs;
}

/**
 * What a request is first decided by. The pin store is not asked yet: not for a write, not when this edge or the
 * client's token already says pinned, not for nobody; otherwise only if the decision turns out to need it.
 */
export function firstInputs(
  { facts, pids, tokenRemainingMs }: Reading,
  { rules, config }: Settings,
  view: View,
  pins: Pins,
): DecisionInputs {
  const inputs = (pin: PinReading): DecisionInputs => ({ facts, pin, view, rules, tried: [], attempts: 0 });
  if (config.consistency.mode === "off" || facts.intent !== "read") return inputs("free");
  if (pins.known(pids.read, tokenRemainingMs) === "pinned") return inputs("pinned");
  return inputs(pids.read.length === 0 ? "free" : "unasked");
}

/**
 * Decides, asking the pin store when the choice depends on it: most requests need no round trip, and then there is
 * no promise either.
 */
export function decideAsking(
  inputs: DecisionInputs,
  ask: () => Promise<PinReading>,
): Decided | Promise<Decided> {
  const decision = decide(inputs);
  if (!needsPin(decision, inputs)) return { decision, inputs };
  return ask().then((pin) => {
    const answered = { ...inputs, pin };
    return { decision: decide(answered), inputs: answered };
  });
}

/** What this edge would decide a described request by, asking the pin store where the request would. */
export async function describedInputs(
  { method, path, headers }: { readonly method: string; readonly path: string; readonly headers: Headers },
  settings: Settings,
  view: View,
  { pins, chance }: { readonly pins: Pins; readonly chance: () => number },
): Promise<DecisionInputs> {
  const named = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  await settings.identities.prepare(named);
  const reading = readRequest(method, path.split("?", 1)[0] ?? path, named, settings, chance());
  const ask = () => pins.read(reading.pids.read, { carriesToken: reading.carriesCookie, rehearsal: true });
  return (await decideAsking(firstInputs(reading, settings, view, pins), ask)).inputs;
}
