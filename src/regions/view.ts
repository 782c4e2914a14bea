import type { Config } from "../config/schema.ts";
import type { Region, View } from "../routing/region.ts";

/** The view of these regions, which stand in file order. `nearest` names them nearest first. */
export function viewOf(regions: readonly Region[], nearest: readonly string[], config: Config): View {
  const byId = new Map(regions.map((region) => [region.id, region]));
  return {
    regions,
    byId,
    nearest: nearest.map((id) => byId.get(id)).filter((region) => region !== undefined),
    writeRegion: writeRegionOf(regions, config),
    epoch: 1,
    promotions: [],
  };
}

/** Whether no decision could tell them apart. Regions are compared by identity: unchanged ones are reused. */
export function sameView(a: View, b: View): boolean {
  return (
    a.writeRegion === b.writeRegion &&
    a.epoch === b.epoch &&
    sameItems(a.promotions, b.promotions) &&
    sameItems(a.regions, b.regions) &&
    sameItems(a.nearest, b.nearest)
  );
}

function writeRegionOf(regions: readonly Region[], { routing }: Config): string | null {
  if (routing.topology === "multi-writer") return null;
  return regions.find(({ role }) => role === "writer")?.id ?? null;
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
