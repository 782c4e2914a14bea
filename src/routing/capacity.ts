import type { Move, Objection } from "./moves.ts";
import { type Rate, summed } from "./traffic.ts";

/** What is measured, and what regions can bear. */
export interface Traffic {
  readonly rates: readonly Rate[];
  /** Requests a second, of regions where it is known. */
  readonly capacities: ReadonlyMap<string, number>;
}

/** Requests a second of one region, before a change and after it. */
export interface Load {
  readonly region: string;
  readonly before: number;
  readonly after: number;
  readonly capacity: number | null;
}

/**
 * What each region has to bear when this one serves nobody any more: what it is sent now, and of each kind of traffic that
 * goes to this one now its share of where such traffic goes then. Sessions that live elsewhere stay there.
 */
export function loadsWithout(
  regionId: string,
  moves: readonly Move[],
  { rates, capacities }: Traffic,
): readonly Load[] {
  const moved = rates.filter(({ region }) => region === regionId).flatMap((rate) => movedOn(rate, moves));
  const before = byRegion(rates);
  const added = byRegion(moved);
  return [...new Set([...before.keys(), ...added.keys()])].map((region) => {
    const now = before.get(region) ?? 0;
    const then = region === regionId ? 0 : now + (added.get(region) ?? 0);
    return { region, before: now, after: then, capacity: capacities.get(region) ?? null };
  });
}

/**
 * Why the change must not be made without force, when it is known of every region that gets more what it can bear; null
 * when all of them can bear it, or it is not known.
 */
export function capacityObjection(regionId: string, loads: readonly Load[]): Objection | null {
  const takers = loads.filter(({ before, after }) => after > before);
  if (takers.some(({ capacity }) => capacity === null)) return null;
  const [worst] = takers
    .filter(({ after, capacity }) => capacity !== null && after > capacity)
    .toSorted((one, other) => excess(other) - excess(one));
  if (worst === undefined) return null;
  const { region, before, after, capacity } = worst;
  return {
    word: "capacity",
    why: `without ${regionId}, ${region} would get ${perSecond(after)} requests a second, after ${perSecond(before)} now, and its capacity is ${capacity}`,
    instead: `Wait for less traffic, open or repair another region, or raise regions.${region}.capacity if it can bear more`,
  };
}

/** Why a region cannot bear the writes of another beside what it is sent now; null when it can, or it is not known. */
export function overload(from: string, to: string, { rates, capacities }: Traffic): string | null {
  const capacity = capacities.get(to);
  if (capacity === undefined) return null;
  const before = byRegion(rates).get(to) ?? 0;
  const writes = rates.filter(({ region, traffic }) => region === from && traffic === "writes");
  const after = before + (byRegion(writes).get(from) ?? 0);
  if (after <= capacity) return null;
  return `${to} would get ${perSecond(after)} requests a second with the writes of ${from}, after ${perSecond(before)} now, and its capacity is ${capacity}`;
}

function movedOn(rate: Rate, moves: readonly Move[]): readonly Rate[] {
  const held = rate.jurisdictions?.join() ?? null;
  const ofKind = moves.filter(({ traffic }) => traffic === rate.traffic);
  // Held by a rule that is no longer in force: served like anybody.
  const move = ofKind.find(({ jurisdictions }) => (jurisdictions?.join() ?? null) === held) ?? ofKind[0];
  return (move?.after.regions ?? []).map(({ region, share }) => ({
    ...rate,
    region,
    perSecond: rate.perSecond * share,
  }));
}

function byRegion(rates: readonly Rate[]): ReadonlyMap<string, number> {
  const all = rates.map((rate): Rate => ({ ...rate, traffic: "reads", jurisdictions: null }));
  return new Map(summed(all).map(({ region, perSecond: rate }) => [region, rate]));
}

function excess({ after, capacity }: Load): number {
  return after / (capacity ?? after);
}

function perSecond(rate: number): number {
  return rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate);
}
