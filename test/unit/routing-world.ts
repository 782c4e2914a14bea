import type { DecisionInputs, Facts, PinReading } from "../../src/routing/decision.ts";
import { BY_WRITER, type Hold } from "../../src/routing/hold.ts";
import type { Region, View } from "../../src/routing/region.ts";
import type { Rules } from "../../src/routing/rules.ts";

export type Changes = Readonly<Record<string, Partial<Region>>>;

const BASE: Omit<Region, "id" | "role" | "latencyMs" | "jurisdiction"> = {
  weight: 100,
  health: "up",
  admission: "open",
  applied: null,
  writer: null,
  fenced: false,
  lagMs: 0,
  warmth: 1,
};

/** us writes and is 80 ms away, eu is near (15 ms), ap is far (140 ms). */
const REGIONS: readonly Region[] = [
  { ...BASE, id: "us", role: "writer", latencyMs: 80, jurisdiction: "us" },
  { ...BASE, id: "eu", role: "replica", latencyMs: 15, jurisdiction: "eu" },
  { ...BASE, id: "ap", role: "replica", latencyMs: 140, jurisdiction: "ap" },
];

/** The three regions with changes, and further regions that are given whole. */
export function viewOf(changes: Changes = {}, regions: readonly Region[] = REGIONS): View {
  const changed = regions.map((region) => ({ ...region, ...changes[region.id] }));
  const far = (region: Region) => region.latencyMs ?? Number.POSITIVE_INFINITY;
  return {
    regions: changed,
    byId: new Map(changed.map((region) => [region.id, region])),
    nearest: [...changed].sort((one, other) => far(one) - far(other)),
    writeRegion: changed.find(({ role }) => role === "writer")?.id ?? null,
    epoch: 1,
    promotions: [],
    moving: false,
    vouched: false,
  };
}

export const RULES: Rules = {
  policy: "latency",
  topology: "single-writer",
  whenAllDown: "try",
  whenWriterDown: "refuse",
  monotonicReads: null,
  maxLagMs: 5_000,
  residency: [],
  paths: [],
};

export const READER: Facts = {
  intent: "read",
  jurisdictions: null,
  affinity: null,
  movedMs: null,
  identified: true,
  chance: 0,
};

export interface Case {
  readonly facts?: Partial<Facts>;
  readonly pin?: PinReading;
  readonly hold?: Hold;
  readonly view?: Partial<View>;
  readonly changes?: Changes;
  readonly rules?: Partial<Rules>;
  readonly tried?: readonly string[];
  readonly regions?: readonly Region[];
}

export function inputsOf({
  facts,
  pin = "free",
  hold,
  view,
  changes,
  rules,
  tried = [],
  regions,
}: Case): DecisionInputs {
  return {
    facts: { ...READER, ...facts },
    pin,
    hold: hold ?? (pin === "pinned" ? BY_WRITER : null),
    view: { ...viewOf(changes, regions), ...view },
    rules: { ...RULES, ...rules },
    tried,
    attempts: tried.length,
  };
}
