import {
  type Move,
  movesOf,
  type Objection,
  objectionOfCapacity,
  objectionOfReaders,
  objectionOfWriters,
  type Setting,
  withRegion,
} from "./moves.ts";
import { serves } from "./obstacle.ts";

/** `drain`: the edges send nobody there. `black-hole`: they cannot reach it, and have to find out. */
export type DrillKind = "drain" | "black-hole";

/** A rehearsal of the loss of a region, before it begins. */
export interface DrillPlan {
  readonly region: string;
  readonly kind: DrillKind;
  readonly lastsMs: number;
}

/** The world a drill is judged in. */
export interface DrillSetting extends Setting {
  /** What follows when the write region is down: an operator moves it, the fleet does, or would but for its hold-down. */
  readonly failover: "manual" | "automatic" | "held-down";
  /** How long it has to be down for that. */
  readonly failoverAfterMs: number;
  /** What the other edges see down. */
  readonly seenDown: readonly { readonly edge: string; readonly region: string }[];
}

/** Why a drill should not be. */
export interface DrillObjection {
  readonly word: Objection["word"] | "out_of_service";
  readonly why: string;
  /** What to do instead. */
  readonly instead: string;
}

/** Where new traffic goes while the region is lost. */
export function movesOfDrill({ region }: Pick<DrillPlan, "region">, setting: Setting): readonly Move[] {
  return movesOf(region, "closed", setting);
}

/** All that speaks against a drill. An operator may know better. */
export function objectionsToDrill(plan: DrillPlan, setting: DrillSetting): readonly DrillObjection[] {
  const moves = movesOfDrill(plan, setting);
  return [
    ofWriters(plan, moves, setting),
    objectionOfReaders(plan.region, moves, setting.view),
    outOfService(setting),
    objectionOfCapacity(plan.region, moves, setting),
  ].filter((objection) => objection !== null);
}

/** What one should know before. */
export function warningsOfDrill(plan: DrillPlan, setting: DrillSetting): readonly string[] {
  const { region, lastsMs } = plan;
  const { failoverAfterMs } = setting;
  if (!rehearsesFailover(plan, setting)) return [];
  const moves = `${region} takes the writes: the fleet moves them to another region for good, and the hook promotes its database; nothing moves back by itself`;
  if (lastsMs > failoverAfterMs) return [moves];
  return [`${moves}. But the drill is over before ${region} has been down for failover.after`];
}

/**
 * Why a drill that runs must not go on; null when it may. The region that it takes away is judged as if it were well: only what
 * has become of the others counts.
 */
export function objectionToGoingOn(region: string, { view, rules }: Setting): DrillObjection | null {
  const well = { view: withRegion(view, region, { health: "up", admission: "open", warmth: 1 }), rules };
  return objectionOfReaders(region, movesOfDrill({ region }, well), well.view);
}

/** Where the fleet moves writes by itself, it can rehearse that; but only when it cannot reach the region. */
function ofWriters(plan: DrillPlan, moves: readonly Move[], setting: DrillSetting): DrillObjection | null {
  const objection = objectionOfWriters(plan.region, moves, setting);
  if (objection === null || rehearsesFailover(plan, setting)) return null;
  if (plan.kind === "drain" || setting.failover === "manual") return objection;
  const why = `${plan.region} takes the writes, and the fleet moves them to no other region yet: it has just done so`;
  return { word: "write_region", why, instead: "Wait until failover.holdDown is over" };
}

function rehearsesFailover({ region, kind }: DrillPlan, { view, failover }: DrillSetting): boolean {
  return view.writeRegion === region && kind === "black-hole" && failover === "automatic";
}

/** A second region at a time is no rehearsal any more. */
function outOfService({ view, seenDown }: DrillSetting): DrillObjection | null {
  const here = view.regions.flatMap((region) => {
    const { id, health, admission } = region;
    if (!serves(region)) return [`${id} is ${health}`];
    return admission === "open" ? [] : [`${id} is ${admission}`];
  });
  const [why] = [...here, ...seenDown.map(({ edge, region }) => `${region} is down for the edge ${edge}`)];
  if (why === undefined) return null;
  return { word: "out_of_service", why, instead: "Wait until every region is open and up, everywhere" };
}
