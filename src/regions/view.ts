import type { Config } from "../config/schema.ts";
import type { Region, View } from "../routing/region.ts";

/** What the topology says of writes; see `fleet/topology`. */
export type WriteState = Pick<View, "writeRegion" | "epoch" | "moving" | "vouched" | "promotions">;

/** The view of these regions, which stand in file order. `nearest` names them nearest first. */
export function viewOf(regions: readonly Region[], nearest: readonly string[], writes: WriteState): View {
  const byId = new Map(regions.map((region) => [region.id, region]));
  return {
    regions,
    byId,
    nearest: nearest.map((id) => byId.get(id)).filter((region) => region !== undefined),
    ...writes,
  };
}

/** Which region takes writes as the file has it; null where every writer does. */
export function writeRegionOf({ regions, routing }: Config): string | null {
  if (routing.topology === "multi-writer") return null;
  return Object.entries(regions).find(([, { role }]) => role === "writer")?.[0] ?? null;
}

/** Whether they agree on where writes go, and whether they go; who vouches for it is another matter. */
export function sameWrites(a: WriteState, b: WriteState): boolean {
  return a.writeRegion === b.writeRegion && a.epoch === b.epoch && a.moving === b.moving;
}

/** Whether no decision could tell them apart. Regions are compared by identity: unchanged ones are reused. */
export function sameView(a: View, b: View): boolean {
  return (
    sameWrites(a, b) &&
    a.vouched === b.vouched &&
    sameItems(a.promotions, b.promotions) &&
    sameItems(a.regions, b.regions) &&
    sameItems(a.nearest, b.nearest)
  );
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
