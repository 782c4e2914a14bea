import type { Region, View } from "./region.ts";

/**
 * A place in the write log, as a region that has just committed names it. `at` is 16 lower-case hex digits, so that
 * text compares as numbers do; only within one epoch, since each promotion begins a log of its own.
 */
export interface Position {
  readonly epoch: number;
  readonly at: string;
}

/** Reads `EPOCH:POSITION`, the header's form; null when it is not one. Fewer digits than 16 are filled up. */
export function readPosition(text: string): Position | null {
  const [, epoch, at] = /^(\d{1,9}):([0-9a-f]{1,16})$/i.exec(text.trim()) ?? [];
  if (epoch === undefined || at === undefined) return null;
  return { epoch: Number(epoch), at: at.toLowerCase().padStart(16, "0") };
}

export function writePosition({ epoch, at }: Position): string {
  return `${epoch}:${at}`;
}

/** The later of two writes of one user; null when there is none. */
export function laterPosition(one: Position | null, other: Position | null): Position | null {
  if (one === null || other === null) return one ?? other;
  if (one.epoch !== other.epoch) return one.epoch > other.epoch ? one : other;
  return one.at > other.at ? one : other;
}

/**
 * Whether this region is known to hold what was written at `wanted`. It must have said so in the present epoch. What
 * was written in an older one is held by whoever has applied the position at which the present epoch began: what lay
 * beyond that nobody holds, see {@link isLost}.
 */
export function hasApplied({ applied }: Region, wanted: Position, { epoch, promotions }: View): boolean {
  if (applied === null || applied.epoch !== epoch || wanted.epoch > epoch) return false;
  if (wanted.epoch === epoch) return applied.at >= wanted.at;
  const began = promotions.find((promotion) => promotion.epoch === epoch);
  return began !== undefined && applied.at >= began.at;
}

/** Whether a promotion has left this write behind: the next epoch began at an earlier position. */
export function isLost(wanted: Position, { promotions }: View): boolean {
  const next = promotions.find(({ epoch }) => epoch > wanted.epoch);
  return next !== undefined && next.at < wanted.at;
}

/** The least of what several nodes have applied, since a reader may meet each; null when one does not say. */
export function leastApplied(nodes: readonly (Position | null)[]): Position | null {
  const known = nodes.filter((node) => node !== null);
  if (known.length === 0 || known.length < nodes.length) return null;
  return known.reduce((least, node) => (laterPosition(least, node) === least ? node : least));
}
