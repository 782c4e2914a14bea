import { writeFileSync } from "node:fs";
import { CHANGES } from "./dashboards/changes.ts";
import { CONSISTENCY } from "./dashboards/consistency.ts";
import { EDGE } from "./dashboards/edge.ts";
import { OVERVIEW } from "./dashboards/overview.ts";
import { dashboardOf } from "./dashboards/parts.ts";
import { REGION } from "./dashboards/region.ts";

const DIRECTORY = new URL("../deploy/grafana/dashboards/", import.meta.url).pathname;

/** The text of each file of deploy/grafana/dashboards, by its path. */
export const DASHBOARDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    meridian: OVERVIEW,
    "meridian-region": REGION,
    "meridian-consistency": CONSISTENCY,
    "meridian-changes": CHANGES,
    "meridian-edge": EDGE,
  }).map(([name, board]) => [`${DIRECTORY}${name}.json`, `${JSON.stringify(dashboardOf(board), null, 2)}\n`]),
);

if (import.meta.main) for (const [file, text] of DASHBOARDS) writeFileSync(file, text);
