import type { Section } from "./document.ts";
import { costs, type Say, type Series, type Variant } from "./growth-cost.ts";
import { edgeSeries } from "./growth-edges.ts";
import { crowdTable } from "./growth-memory.ts";
import { localPins, pinSeries } from "./growth-pins.ts";
import { startTable } from "./growth-start.ts";
import { descriptors, today } from "./machine.ts";
import type { Options } from "./options.ts";
import type { Cores } from "./process.ts";
import { shapeOf } from "./shapes.ts";
import { type Stage, setStage } from "./stage.ts";
import { OFF, type Subject, startMeridian, type Tree } from "./subjects.ts";

const REGIONS = [3, 20, 200];
const ENDPOINTS = [1, 8, 64];
const CONNECTIONS = [10, 100, 1_000, 10_000];
/** What an edge needs besides those of its clients. */
const MORE_DESCRIPTORS = 1_000;

const SERIES: Readonly<Record<string, Series>> = {
  regions: (stage, options, say) => {
    const sizes = REGIONS.map((count) => sized("regions", count, options, (on) => regions(on, count)));
    return costs(stage, options, say, "regions", sizes);
  },
  endpoints: (stage, options, say) => {
    const sizes = ENDPOINTS.map((count) => sized("endpoints", count, options, (on) => oneRegion(on, count)));
    return costs(stage, options, say, "endpoints", sizes);
  },
  connections: connectionSeries,
  pins: pinSeries,
  edges: edgeSeries,
  "local-pins": async ({ cores }) => [await localPins(cores)],
  memory: crowdTable,
  start: startTable,
};

/** These take what time they need, once. */
const ONCE = ["local-pins", "memory", "start"];

export const SERIES_NAMES: readonly string[] = Object.keys(SERIES);
export const GROWTH_TITLES: readonly string[] = SERIES_NAMES.map(titleOf);

function titleOf(series: string): string {
  return `Growth: ${series}`;
}

/** Each series on a stage of its own, as a section of its own. */
export async function measureGrowth(options: Options, cores: Cores, say: Say): Promise<readonly Section[]> {
  const sections: Section[] = [];
  for (const name of options.series ?? SERIES_NAMES) {
    const series = SERIES[name];
    if (series === undefined) throw new Error(`no series ${name}; there are ${SERIES_NAMES.join(", ")}`);
    const stage = await setStage(options.port, cores, false);
    try {
      const tables = await series(stage, options, say);
      sections.push({ title: titleOf(name), how: `${today()}${timesOf(name, options)}.`, tables });
    } finally {
      await stage.stop();
    }
  }
  return sections;
}

function timesOf(series: string, { rounds, seconds }: Options): string {
  return ONCE.includes(series) ? "" : `, ${rounds} ${rounds === 1 ? "round" : "rounds"} of ${seconds} s`;
}

/** However many are open, the same number of requests is in flight: what is measured is what the others cost. */
function connectionSeries(stage: Stage, options: Options, say: Say) {
  const most = descriptors();
  const sizes = CONNECTIONS.filter((count) => count + MORE_DESCRIPTORS <= most);
  if (sizes.length < CONNECTIONS.length)
    say(`connections: only ${most} descriptors, so ${sizes.at(-1)} at most\n`);
  const variants = sizes.map((connections): Variant => {
    const variant = sized("connections", connections, options, () => null);
    return { ...variant, shape: { ...variant.shape, tool: "spread", connections } };
  });
  return costs(stage, options, say, "connections", variants);
}

function sized(
  what: string,
  count: number,
  options: Options,
  regionsOn: (stage: Stage) => Tree | null,
): Variant {
  const name = `${what}-${count}`;
  const start: Subject["start"] = (stage, ports) => {
    const regions = regionsOn(stage);
    const settings = { ...OFF, ...(regions === null ? {} : { regions }) };
    return startMeridian(stage, ports, { name, pinnedBy: null, settings });
  };
  const subject = { name, job: "forward", pinnedBy: null, needs: [], lacks: [], start } as const;
  return { label: `${count}`, subject, shape: shapeOf("100b", options), redis: () => null };
}

/** Each at an address of its own, on which the one region listens too. */
function regions({ replica }: Stage, count: number): Tree {
  const region = (nth: number) => ({
    role: nth === 0 ? "writer" : "replica",
    endpoints: [`http://127.0.1.${nth + 1}:${replica}`],
  });
  return Object.fromEntries(Array.from({ length: count }, (_each, nth) => [`region-${nth}`, region(nth)]));
}

function oneRegion({ replica }: Stage, count: number): Tree {
  const endpoints = Array.from({ length: count }, (_each, nth) => `http://127.0.1.${nth + 1}:${replica}`);
  return { only: { role: "writer", endpoints } };
}
