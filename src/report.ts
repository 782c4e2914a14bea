import type { EdgeReport, SeenRegion } from "./fleet/edges.ts";
import { rounded } from "./fleet/traffic.ts";
import type { RegionTable } from "./regions/table.ts";
import type { Region } from "./routing/region.ts";
import { version } from "./version.ts";

/** What an edge says of itself, and of the regions as it sees them. */
export function reportOf(
  { view }: Pick<RegionTable, "view">,
  said: Pick<EdgeReport, "holds" | "writesUnderWay" | "rates">,
): EdgeReport {
  const regions = view.regions.map((region) => [region.id, seen(region)] as const);
  return { version, ...said, rates: rounded(said.rates), regions: Object.fromEntries(regions) };
}

function seen({ health, latencyMs, lagMs, writer, applied }: Region): SeenRegion {
  return {
    health,
    latencyMs: latencyMs === null ? null : Math.round(latencyMs * 10) / 10,
    lagMs,
    writer,
    epoch: applied?.epoch ?? null,
    applied: applied?.at ?? null,
  };
}
