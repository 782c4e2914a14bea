import type { Said, SharedHash } from "../../../src/fleet/shared-hash.ts";
import type { Topology } from "../../../src/fleet/topology.ts";
import type { Script } from "./script.ts";

/** A machine with one mistake, made where its parts meet. */
export interface Mutant {
  readonly name: string;
  /** In what it shows. */
  readonly script: Partial<Script>;
  /** Takes every edge for one that holds its writes, and has none under way. */
  readonly skipsAcknowledgements?: true;
  /** Says that it has no writes under way whatever it has. */
  readonly forgetsWritesUnderWay?: true;
  /** Believes what it has heard of a region before. */
  readonly hearsNothingAnew?: true;
  /** Sends writes again as soon as the hook was called. */
  readonly releasesEarly?: true;
  /** Gives the epoch of a move that was given up to the next. */
  readonly reusesEpochs?: true;
  /** Takes every lease for over, at one edge of the fleet. */
  readonly ignoresLeases?: true;
}

export const AS_BUILT: Mutant = { name: "as built", script: {} };

/** Nothing goes wrong. */
const CALM: Partial<Script> = {
  ...{ kind: "move", deaths: [null, null, null], hook: ["works"], emptiedAtMs: null, stall: null },
};

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the acknowledgements of the edges are not waited for",
    script: CALM,
    skipsAcknowledgements: true,
  },
  { name: "writes under way are not waited for", script: CALM, forgetsWritesUnderWay: true },
  {
    name: "regions are judged by what was heard before writes were held",
    script: CALM,
    hearsNothingAnew: true,
  },
  { name: "writes are released before the epoch is raised", script: CALM, releasesEarly: true },
  {
    name: "an epoch that was given to a move is given again",
    script: { ...CALM, hook: ["late", "works"] },
    reusesEpochs: true,
  },
  { name: "one edge looks at no lease", script: CALM, ignoresLeases: true },
];

/** All edges as they would be if they did what the move asks of them. */
export function acknowledged(edges: SharedHash["edges"], move: Topology["move"]): ReadonlyMap<string, Said> {
  const holding = (text: string) =>
    JSON.stringify({ ...JSON.parse(text), holds: move?.id ?? null, writesUnderWay: 0 });
  return new Map([...edges()].map(([key, { atMs, text }]) => [key, { atMs, text: holding(text) }]));
}
