import { formatProblem, parseConfig } from "../../src/config/load.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { type Edge, startEdge } from "../../src/edge.ts";
import { createLogger, type Logger } from "../../src/observe/log.ts";
import { edgeYaml } from "./edge-yaml.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });

/** An edge inside this process, on free ports, in front of a world. Stop it before the world. */
export async function startTestEdge(
  world: SimulatedWorld,
  overridesYaml = "",
  { log = SILENT, configFile = null }: { log?: Logger; configFile?: string | null } = {},
): Promise<Edge> {
  const loaded = parseConfig(edgeYaml(world, overridesYaml), {});
  if (!loaded.ok) throw new Error(loaded.problems.map((found) => formatProblem("test", found)).join("\n"));
  return startEdge({ config: loaded.config, log, configFile });
}
