import { oncePerView } from "./once-per-view.ts";
import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";

/** Whether a region takes writes: all writers under `multi-writer`, else the write region alone. */
export function takesWrites(region: Region, view: View, rules: Rules): boolean {
  return rules.topology === "multi-writer" ? region.role === "writer" : region.id === view.writeRegion;
}

/**
 * Whether the write region is so no longer, by its own word or because another one says that it is, in a newer epoch. Then
 * nobody here knows which region takes writes. An application that says nothing of it is never doubted.
 */
export function isDisowned(region: Region, view: View): boolean {
  return region.id === view.writeRegion && isWriterDisowned(view);
}

/** The same of the region that writes go to, if one is known. */
export const isWriterDisowned = oncePerView(({ writeRegion, byId, epoch, regions }) => {
  const region = byId.get(writeRegion ?? "");
  if (region === undefined) return false;
  const known = Math.max(epoch, region.applied?.epoch ?? 0);
  // What it said before it was made the writer is no denial.
  const isPast = region.applied !== null && region.applied.epoch < epoch;
  return (region.writer === false && !isPast) || regions.some((other) => claimsWrites(other, region, known));
});

function claimsWrites(other: Region, region: Region, epoch: number): boolean {
  return other.id !== region.id && other.writer === true && (other.applied?.epoch ?? 0) > epoch;
}

/** The epoch that the write region itself is in, when it is a newer one than is known here; else null. */
export function newerEpochOfWriter({ writeRegion, byId, epoch }: View): number | null {
  const region = writeRegion === null ? undefined : byId.get(writeRegion);
  if (region?.writer !== true || region.applied === null) return null;
  return region.applied.epoch > epoch ? region.applied.epoch : null;
}
