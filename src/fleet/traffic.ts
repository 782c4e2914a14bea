import type { Config } from "../config/schema.ts";
import type { Traffic } from "../routing/capacity.ts";
import { type Rate, summed } from "../routing/traffic.ts";
import type { KnownEdge } from "./edges.ts";

/** What all live edges send, as they say, and what the regions can bear, as the configuration says. */
export function trafficOf(
  edges: readonly Pick<KnownEdge, "live" | "rates">[],
  { regions }: Pick<Config, "regions">,
): Traffic {
  const rates = edges.filter(({ live }) => live).flatMap((edge) => readRates(edge.rates));
  const known = Object.entries(regions).flatMap(([id, { capacity }]) =>
    capacity === undefined ? [] : [[id, capacity] as const],
  );
  return { rates: summed(rates), capacities: new Map(known) };
}

/** To a tenth of a request: it is sent every second. */
export function rounded(rates: readonly Rate[]): readonly Rate[] {
  return rates.map((rate) => ({ ...rate, perSecond: Math.round(rate.perSecond * 10) / 10 }));
}

/** An edge of another version may say something else. */
function readRates(given: unknown): readonly Rate[] {
  return Array.isArray(given) ? given.filter(isRate) : [];
}

function isRate(given: unknown): given is Rate {
  if (typeof given !== "object" || given === null) return false;
  const { region, traffic, jurisdictions, perSecond } = given as Record<string, unknown>;
  const isKind = traffic === "reads" || traffic === "writes";
  const isHeld = Array.isArray(jurisdictions) && jurisdictions.every((name) => typeof name === "string");
  const isNumber = typeof perSecond === "number" && perSecond >= 0;
  return typeof region === "string" && isKind && (jurisdictions === null || isHeld) && isNumber;
}
