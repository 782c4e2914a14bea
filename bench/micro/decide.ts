import { rulesOf } from "../../src/config/rules.ts";
import { configSchema } from "../../src/config/schema.ts";
import { decide } from "../../src/routing/decide.ts";
import type { DecisionInputs, Facts } from "../../src/routing/decision.ts";
import type { Region, View } from "../../src/routing/region.ts";

import type { Micro } from "./measure.ts";

const READER: Facts = {
  intent: "read",
  jurisdictions: null,
  affinity: null,
  movedMs: null,
  identified: true,
  chance: 0.5,
};

function viewOf(count: number): View {
  const regions: Region[] = Array.from({ length: count }, (_, i) => ({
    id: `region-${i}`,
    role: i === 0 ? "writer" : "replica",
    jurisdiction: null,
    weight: 100,
    health: "up",
    admission: "open",
    latencyMs: 10 + ((i * 37) % 200),
    applied: null,
    writer: null,
    fenced: false,
    lagMs: 0,
    warmth: 1,
  }));
  return {
    regions,
    byId: new Map(regions.map((region) => [region.id, region])),
    nearest: regions.toSorted((one, other) => (one.latencyMs ?? 0) - (other.latencyMs ?? 0)),
    writeRegion: "region-0",
    epoch: 1,
    promotions: [],
    moving: false,
    vouched: false,
  };
}

const rules = rulesOf(configSchema.parse({ regions: {} }));

/** Inputs of a fleet of so many regions, whichever user it is. */
export function inputsOf(count: number, facts: Partial<Facts> = {}): DecisionInputs {
  return {
    facts: { ...READER, ...facts },
    pin: "free",
    hold: null,
    view: viewOf(count),
    rules,
    tried: [],
    attempts: 0,
  };
}

/** What a hundred thousand users differ by: where their sessions are. */
const USERS = 100_000;

function deciding(count: number, budgetNs: number, budgetBytes: number): readonly Micro[] {
  const stranger = inputsOf(count);
  const atHome = Array.from({ length: count }, (_, i) => ({
    ...stranger,
    facts: { ...READER, affinity: `region-${i}` },
  }));
  const pinned: DecisionInputs = { ...stranger, pin: "pinned" };
  const fleet = `${count} regions`;
  return [
    { name: `decide: anybody, ${fleet}`, budgetNs, budgetBytes, run: () => decide(stranger) },
    {
      name: `decide: one of ${USERS} sessions, ${fleet}`,
      budgetNs,
      budgetBytes,
      run: (i) => decide(atHome[((i * 7_919) % USERS) % count] ?? stranger),
    },
    { name: `decide: pinned, ${fleet}`, budgetNs, budgetBytes, run: () => decide(pinned) },
  ];
}

export const DECIDE: readonly Micro[] = [
  ...deciding(3, 500, 1_000),
  ...deciding(20, 500, 1_000),
  ...deciding(200, 500, 1_000),
];
