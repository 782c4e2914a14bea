import { rulesOf } from "./config/rules.ts";
import type { Config } from "./config/schema.ts";
import type { EdgeReport, KnownEdge, SeenRegion } from "./fleet/edges.ts";
import { rounded, trafficOf } from "./fleet/traffic.ts";
import type { RegionTable } from "./regions/table.ts";
import type { DrillSetting } from "./routing/drill.ts";
import type { Region, View } from "./routing/region.ts";
import { version } from "./version.ts";

/** What an edge says of itself, and of the regions as it sees them. */
export function reportOf(
  { view }: Pick<RegionTable, "view">,
  said: Omit<EdgeReport, "version" | "regions">,
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

/** The world that a drill is judged in, by this edge's view and what the others have last said. */
export function drillSettingOf(
  view: View,
  config: Config,
  fleet: { readonly edges: readonly KnownEdge[]; readonly isHeldDown: boolean },
): DrillSetting {
  const { mode, after } = config.failover;
  const others = fleet.edges.filter((edge) => edge.live && !edge.isSelf && edge.worker === null);
  const seenDown = others.flatMap(({ id: edge, regions: seen }) =>
    Object.entries(seen).flatMap(([region, { health }]) => (health === "down" ? [{ edge, region }] : [])),
  );
  return {
    ...{ view, rules: rulesOf(config), traffic: trafficOf(fleet.edges, config), seenDown },
    failover: mode === "automatic" && fleet.isHeldDown ? "held-down" : mode,
    failoverAfterMs: after,
  };
}
