import { capacityObjection, loadsWithout, type Traffic } from "./capacity.ts";
import { decide } from "./decide.ts";
import type { DecisionInputs, Refused } from "./decision.ts";
import type { Admission, Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";

/** Where a kind of traffic goes: shares of 1, in the order of the regions; or why it is refused. */
export interface Destination {
  readonly regions: readonly { readonly region: string; readonly share: number }[];
  readonly fault: Refused["fault"] | null;
}

/** One kind of traffic before and after a change. */
export interface Move {
  readonly traffic: "reads" | "writes";
  /** Of whom a residency rule says where they may be served; null for everybody else. */
  readonly jurisdictions: readonly string[] | null;
  readonly before: Destination;
  readonly after: Destination;
}

/** The world a change is judged in. */
export interface Setting {
  readonly view: View;
  readonly rules: Rules;
  /** Left out where capacity is not to be judged. */
  readonly traffic?: Traffic;
}

/** Why a change must not be made. */
export interface Objection {
  readonly word: "write_region" | "last_region" | "capacity";
  readonly why: string;
  /** What to do instead. */
  readonly instead: string;
}

/** Draws per destination; shares are exact to one in a hundred. */
const DRAWS = 100;

/**
 * Where new traffic goes before a region's admission changes and after it, by the decision function itself.
 * A drain ends closed, so what it moves in the end is what a close moves at once.
 */
export function movesOf(regionId: string, admission: Admission, setting: Setting): readonly Move[] {
  const after = { ...setting, view: withRegion(setting.view, regionId, { admission: inTheEnd(admission) }) };
  const readers = [null, ...heldIn(setting.rules)];
  return [...readers.map((held) => ["reads", held] as const), ["writes", null] as const].map(
    ([traffic, jurisdictions]) => ({
      traffic,
      jurisdictions,
      before: destination(traffic, jurisdictions, setting),
      after: destination(traffic, jurisdictions, after),
    }),
  );
}

/** The jurisdictions that residency rules hold readers in, each list once. */
function heldIn({ residency }: Rules): readonly (readonly string[])[] {
  return [...new Map(residency.map(({ jurisdictions }) => [jurisdictions.join(), jurisdictions])).values()];
}

/**
 * Why a change must not be made without force, or null. It must not take away the region that writes go to,
 * nor the last open region that is up for some readers, nor send others more than they can bear.
 */
export function objection(
  regionId: string,
  admission: Admission,
  moves: readonly Move[],
  setting: Setting,
): Objection | null {
  if (admission === "open") return null;
  return (
    objectionOfWriters(regionId, moves, setting) ??
    objectionOfReaders(regionId, moves, setting.view) ??
    objectionOfCapacity(regionId, moves, setting)
  );
}

/** Of taking away what writes go to. */
export function objectionOfWriters(
  regionId: string,
  moves: readonly Move[],
  { view, rules }: Setting,
): Objection | null {
  return takesAllWrites(regionId, moves, view, rules) ? writeRegionObjection(regionId, view) : null;
}

/** Of taking away what is the last for some readers. */
export function objectionOfReaders(regionId: string, moves: readonly Move[], view: View): Objection | null {
  const stranded = moves.find((move) => strands(move, regionId, view));
  return stranded ? lastRegionObjection(regionId, stranded, view) : null;
}

/** Of what the others would get. */
export function objectionOfCapacity(
  regionId: string,
  moves: readonly Move[],
  { traffic }: Setting,
): Objection | null {
  return traffic === undefined ? null : capacityObjection(regionId, loadsWithout(regionId, moves, traffic));
}

function takesAllWrites(regionId: string, moves: readonly Move[], view: View, rules: Rules): boolean {
  if (rules.topology === "single-writer") return view.writeRegion === regionId;
  const writes = moves.find(({ traffic }) => traffic === "writes");
  return writes !== undefined && writes.before.fault === null && writes.after.fault !== null;
}

/** Whether these readers lose the region that serves them and have no other that is open and up. */
function strands({ traffic, before, after }: Move, regionId: string, view: View): boolean {
  if (traffic !== "reads" || !before.regions.some(({ region }) => region === regionId)) return false;
  return !after.regions.some(({ region }) => isUsable(view.byId.get(region)));
}

function isUsable(region: Region | undefined): boolean {
  return (
    region?.admission === "open" && !region.fenced && (region.health === "up" || region.health === "degraded")
  );
}

function writeRegionObjection(regionId: string, view: View): Objection {
  return {
    word: "write_region",
    why: `${regionId} takes the writes, and no other region may take them over by itself`,
    instead:
      view.writeRegion === null ? remedyOf(othersThan(regionId, view, isWriter)) : promotion(regionId, view),
  };
}

function lastRegionObjection(regionId: string, { jurisdictions }: Move, view: View): Objection {
  const held = jurisdictions?.join(", ");
  const mayServe = ({ jurisdiction }: Region) =>
    jurisdictions === null || (jurisdiction !== null && jurisdictions.includes(jurisdiction));
  const others = othersThan(regionId, view, mayServe);
  return {
    word: "last_region",
    why: `${regionId} is the last region for ${held === undefined ? "readers" : `readers held in ${held} by residency`} that is open and up`,
    instead: remedyOf(others, held),
  };
}

/** To the nearest region that could take the writes over, if there is one. */
function promotion(regionId: string, { nearest }: View): string {
  const heir = nearest.find((region) => region.id !== regionId && isUsable(region));
  const command = `meridian promote ${heir?.id ?? "REGION"} (POST /v1/write-region)`;
  const without = heir === undefined ? ", once one is open and up" : "";
  return `Move the write region to another region first${without}: ${command}`;
}

function isWriter({ role }: Region): boolean {
  return role === "writer";
}

function othersThan(
  regionId: string,
  { regions }: View,
  fits: (region: Region) => boolean,
): readonly Region[] {
  return regions.filter((region) => region.id !== regionId && fits(region));
}

/** How one of these regions comes to be open and up. */
function remedyOf(others: readonly Region[], held?: string): string {
  if (others.length === 0) return `Add another region${held === undefined ? "" : ` in ${held}`} first`;
  const steps = others.map(({ id, admission, health }) =>
    admission === "open" ? `repair ${id}, which is ${health}` : `undrain ${id}, which is ${admission}`,
  );
  return `Make another region fit first: ${steps.join("; or ")}`;
}

function destination(
  traffic: Move["traffic"],
  jurisdictions: readonly string[] | null,
  setting: Setting,
): Destination {
  const counts = new Map(setting.view.regions.map(({ id }) => [id, 0]));
  let fault: Refused["fault"] | null = null;
  for (let draw = 0; draw < DRAWS; draw++) {
    const decision = decide(newcomer(traffic, jurisdictions, (draw + 0.5) / DRAWS, setting));
    if (decision.kind === "refused") fault = decision.fault;
    else counts.set(decision.region, (counts.get(decision.region) ?? 0) + 1);
  }
  const regions = [...counts].filter(([, count]) => count > 0);
  return { regions: regions.map(([region, count]) => ({ region, share: count / DRAWS })), fault };
}

/** A request of somebody who has no session and no pin. */
function newcomer(
  traffic: Move["traffic"],
  jurisdictions: readonly string[] | null,
  chance: number,
  { view, rules }: Setting,
): DecisionInputs {
  const intent = traffic === "reads" ? "read" : "write";
  const facts = { intent, jurisdictions, affinity: null, movedMs: null, identified: false, chance } as const;
  return { facts, pin: "free", hold: null, view, rules, tried: [], attempts: 0 };
}

function inTheEnd(admission: Admission): Admission {
  return admission === "draining" ? "closed" : admission;
}

/** The same view with one region changed. */
export function withRegion(view: View, regionId: string, changes: Partial<Region>): View {
  const change = (region: Region): Region => (region.id === regionId ? { ...region, ...changes } : region);
  const regions = view.regions.map(change);
  return {
    ...view,
    regions,
    byId: new Map(regions.map((region) => [region.id, region])),
    nearest: view.nearest.map(change),
  };
}
