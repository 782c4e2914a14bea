import { oncePerView } from "./once-per-view.ts";
import { hasApplied, isLost, laterPosition, type Position } from "./position.ts";
import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";
import { takesWrites } from "./writers.ts";

/** What holds a pinned user: which regions may serve it until the pin ends. */
export interface Hold {
  /** Where the user's writes stand in the write log, the newest of each epoch, as far as the application has said. */
  readonly positions: readonly Position[];
  /** Whether only the writer will do: a write is in flight, or it is not known where one stands. */
  readonly open: boolean;
  /** Under `multi-writer`: the regions that took the writes, that of the latest first. */
  readonly regions: readonly string[];
}

/** Of somebody of whom nothing is known but that he is pinned. */
export const BY_WRITER: Hold = { positions: [], open: true, regions: [] };

/** A user is held by all that holds him. */
export function joinedHolds(one: Hold | null, other: Hold | null): Hold | null {
  if (one === null || other === null) return one ?? other;
  return {
    positions: newestOfEach([...one.positions, ...other.positions]),
    open: one.open || other.open,
    regions: [...new Set([...one.regions, ...other.regions])],
  };
}

/** The newest position of each epoch, by epoch. */
export function newestOfEach(positions: readonly Position[]): readonly Position[] {
  const newest = new Map<number, Position>();
  for (const position of positions) {
    const known = newest.get(position.epoch);
    if (known === undefined || known.at < position.at) newest.set(position.epoch, position);
  }
  return [...newest.values()].sort((one, other) => one.epoch - other.epoch);
}

/**
 * Whether a held user may be served by this region, not being the writer, before the pin ends: it has said that it has
 * applied all that is held. Judged on the very region that would serve, since one that has caught up says nothing of
 * the next. Whoever has something of an epoch has what there is of those before: so only the newest is asked for, and who
 * writes on after a promotion is not held by what he wrote before it when nobody knows any more where it was.
 */
export function releases(region: Region, hold: Hold, view: View): boolean {
  if (hold.open || region.applied?.epoch !== view.epoch) return false;
  const newest = hold.positions.reduce<Position | null>(laterPosition, null);
  return newest !== null && hasApplied(region, newest, view);
}

/** Whether a promotion has left one of this user's writes behind. */
export function hasLost(hold: Hold, view: View): boolean {
  return hold.positions.some((position) => isLost(position, view));
}

/** Whether any region says how far it has applied the write log, so that positions can let anybody go. */
export const usesPositions = oncePerView(({ regions }) => regions.some(({ applied }) => applied !== null));

/**
 * Whether every region that may serve readers is known to have this write. One that is down or lags is not: it may be
 * back, within its lag, before it has the write.
 */
export function isAppliedEverywhere(position: Position, view: View, rules: Rules): boolean {
  return view.regions.every(
    (region) =>
      takesWrites(region, view, rules) || region.admission === "closed" || hasApplied(region, position, view),
  );
}
