import { type Clock, systemClock } from "../../src/clock.ts";
import { formatProblem, parseConfig } from "../../src/config/load.ts";
import { startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import { takeOrders } from "./child.ts";
import { pinsOf } from "./mutants.ts";

// One edge of a chaos run: `node edge.ts CONFIG_YAML PINS`. Its wall clock can be set; TERM stops it as it stops `serve`.
const [yaml = "", pins = "as-built"] = process.argv.slice(2);

let wallOffsetMs = 0;
const clock: Clock = { now: systemClock.now, wall: () => systemClock.wall() + wallOffsetMs };

const loaded = parseConfig(yaml, {});
if (!loaded.ok) throw new Error(loaded.problems.map((found) => formatProblem("chaos", found)).join("\n"));
const { config } = loaded;
const log = createLogger({ level: config.log.level, edge: config.edge.id });
const edge = await startEdge({ config, log, clock, pins: pinsOf(pins) });
process.once("SIGTERM", () => void edge.stop().then(() => process.exit()));
takeOrders(null, ({ act, ms = 0 }) => {
  if (act === "clock") wallOffsetMs = ms;
});
