import type { RegionSetup } from "../../src/demo/simulated-region.ts";
import { SimulatedWorld } from "../../src/demo/simulated-world.ts";

/** eu-west is nearest and a replica, us-east the writer: far enough apart for the nearness window. */
export const THREE_REGIONS: readonly RegionSetup[] = [
  { id: "us-east", role: "writer", delayMs: 30, jurisdiction: "us" },
  { id: "eu-west", role: "replica", delayMs: 2, jurisdiction: "eu" },
  { id: "ap-south", role: "replica", delayMs: 60, jurisdiction: "ap" },
];

/** The same in the order in which they are near, for a test whose process may be too busy to measure it. */
export const NEAREST_FIRST: readonly RegionSetup[] = ["eu-west", "us-east", "ap-south"].flatMap((wanted) =>
  THREE_REGIONS.filter(({ id }) => id === wanted),
);

/** Simulated regions on free ports; `lagMs` applies to every region that does not name its own. */
export function startWorld({
  regions = THREE_REGIONS,
  lagMs = 300,
}: {
  regions?: readonly RegionSetup[];
  lagMs?: number;
} = {}): Promise<SimulatedWorld> {
  return SimulatedWorld.start(regions.map((setup) => ({ lagMs, ...setup })));
}
