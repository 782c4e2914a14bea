import type { Headers } from "../consistency/identities.ts";
import type { PinState, Pins } from "../consistency/pins.ts";
import { decide, needsPin } from "../routing/decide.ts";
import type { Decision, DecisionInputs } from "../routing/decision.ts";
import { usesPositions } from "../routing/hold.ts";
import type { View } from "../routing/region.ts";
import { type Reading, readRequest } from "./reading.ts";
import type { Settings } from "./settings.ts";
import type { Soon } from "./soon.ts";

/** A decision that may be followed, and what it was made of. */
export interface Decided {
  readonly decision: Decision;
  readonly inputs: DecisionInputs;
}

const NONE_TRIED: readonly string[] = [];

const PINLESS: PinState = { pin: "free", hold: null };

/**
 * What a request is first decided by. The pin store is not asked yet: not for a write (unless it has to follow its
 * user's last one), not when this edge or the client's token already says pinned, not for nobody; otherwise only if
 * the decision turns out to need it.
 */
export function firstInputs(
  { facts, pids, token }: Reading,
  { rules }: Settings,
  view: View,
  pins: Pins,
): DecisionInputs {
  const isPinless =
    facts.intent === "static" || (facts.intent === "write" && rules.topology === "single-writer");
  const state: PinState = isPinless
    ? PINLESS
    : pins.known(pids.read, token?.hold ?? null, usesPositions(view), view.promotions.length > 0);
  return { facts, pin: state.pin, hold: state.hold, view, rules, tried: NONE_TRIED, attempts: 0 };
}

/**
 * Decides, asking the pin store when the choice depends on it: most requests need no round trip, and then there is
 * no promise either.
 */
export function decideAsking(
  inputs: DecisionInputs,
  ask: (inputs: DecisionInputs) => Promise<PinState>,
): Soon<Decided> {
  const decision = decide(inputs);
  if (!needsPin(decision, inputs)) return { decision, inputs };
  return ask(inputs).then((state) => {
    const answered = { ...inputs, ...state };
    return { decision: decide(answered), inputs: answered };
  });
}

/** Asks the pin store about a request's user. Never rejects. */
export function askedPin(
  { pids, carriesCookie, hasOldToken }: Reading,
  { hold, view }: DecisionInputs,
  pins: Pins,
  { rehearsal = false } = {},
): Promise<PinState> {
  return pins.read(pids.read, {
    carriesToken: carriesCookie,
    hasWritten: hasOldToken,
    known: hold,
    positions: usesPositions(view),
    rehearsal,
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
  const ask = (given: DecisionInputs) => askedPin(reading, given, pins, { rehearsal: true });
  return (await decideAsking(firstInputs(reading, settings, view, pins), ask)).inputs;
}
