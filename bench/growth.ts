import { setTimeout as sleep } from "node:timers/promises";
import type { Section } from "./document.ts";
import { crowdTable } from "./growth-memory.ts";
import { EDGES, fillPins, localPins, PINS, startOwnRedis } from "./growth-pins.ts";
import { startTable } from "./growth-start.ts";
import { today } from "./machine.ts";
import type { Options } from "./options.ts";
import type { Cores, Running } from "./process.ts";
import { ranged, type Table } from "./report.ts";
import { type Entrant, enter, orderOf, playRound, warmUp } from "./rounds.ts";
import { type Shape, shapeOf } from "./shapes.ts";
import { type Stage, setStage } from "./stage.ts";
import { ratios, spreadOf } from "./statistics.ts";
import { OFF, type Subject, startMeridian, type Tree } from "./subjects.ts";

/** One size of what grows. */
export interface Variant {
  readonly label: string;
  readonly subject: Subject;
  readonly shape: Shape;
}

type Say = (line: string) => void;
type Series = (stage: Stage, options: Options, say: Say) => Promise<readonly Table[]>;

const REGIONS = [3, 20, 200];
const ENDPOINTS = [1, 8, 64];
const CONNECTIONS = [10, 64, 1_000, 10_000];

const SERIES: Readonly<Record<string, Series>> = {
  regions: (stage, options, say) =>
    costs(
      stage,
      options,
      say,
      "regions",
      REGIONS.map((count) =>
        variant(count, "regions", options, (stage) => ({ regions: regions(stage, count) })),
      ),
    ),
  endpoints: (stage, options, say) =>
    costs(
      stage,
      options,
      say,
      "endpoints",
      ENDPOINTS.map((count) =>
        variant(count, "endpoints", options, (stage) => ({ regions: oneRegion(stage, count) })),
      ),
    ),
  connections: (stage, options, say) =>
    costs(
      stage,
      options,
      say,
      "connections",
      CONNECTIONS.map((connections) =>
        variant(connections, "connections", { ...options, connections }, () => ({})),
      ),
    ),
  pins: pinSeries,
  edges: edgeSeries,
  "local-pins": async ({ cores }) => [await localPins(cores)],
  memory: crowdTable,
  start: startTable,
};

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
      sections.push({ title: titleOf(name), how: `${today()}.`, tables });
    } finally {
      await stage.stop();
    }
  }
  return sections;
}

/** What a request costs at each size, beside what it costs at the first. */
async function costs(
  stage: Stage,
  { rounds }: Options,
  say: Say,
  what: string,
  variants: readonly Variant[],
): Promise<readonly Table[]> {
  const entrants: { readonly entrant: Entrant; readonly shape: Shape; readonly label: string }[] = [];
  try {
    for (const { label, subject, shape } of variants)
      entrants.push({ entrant: await enter(subject, stage), shape, label });
    for (const { entrant, shape } of entrants) await warmUp(entrant, shape);
    for (let round = 0; round < rounds; round += 1)
      for (const { entrant, shape, label } of orderOf(entrants, round)) {
        const done = await playRound(entrant, stage, shape);
        say(
          `${what}, round ${round + 1}: ${label} ${done === null ? "void" : `${done.processorUs.toFixed(1)} µs`}\n`,
        );
      }
  } finally {
    await Promise.all(entrants.map(({ entrant }) => entrant.running.stop()));
  }
  for (const { entrant } of entrants) for (const flaw of entrant.flaws) say(`void: ${flaw}\n`);
  const usOf = ({ rounds: all }: Entrant) => all.map((round) => round?.processorUs ?? null);
  const first = entrants[0] === undefined ? [] : usOf(entrants[0].entrant);
  const rows = entrants.map(({ entrant, label }) => {
    const us = usOf(entrant);
    const counted = entrant.rounds.filter((round) => round !== null);
    return [
      label,
      ranged(spreadOf(counted.map(({ processorUs }) => processorUs)), 1),
      ranged(spreadOf(ratios(us, first)), 2),
      ranged(spreadOf(counted.map(({ requestsPerSecond }) => requestsPerSecond)), 0),
      ranged(spreadOf(counted.map(({ memoryMiB }) => memoryMiB)), 0),
    ];
  });
  return [[[what, "µs/req", "÷ the first", "req/s", "MiB"], ...rows]];
}

function variant(
  count: number,
  what: string,
  options: Options,
  settingsFor: (stage: Stage) => Tree,
): Variant {
  const name = `${what}-${count}`;
  const start: Subject["start"] = (stage, ports) =>
    startMeridian(stage, ports, { name, pinnedBy: null, settings: { ...OFF, ...settingsFor(stage) } });
  const subject = { name, job: "forward", pinnedBy: null, needs: [], lacks: [], start } as const;
  return { label: `${count}`, subject, shape: shapeOf("100b", options) };
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

/** Strict edges, each before a Redis of its own that holds so many pins of others. */
async function pinSeries(stage: Stage, options: Options, say: Say): Promise<readonly Table[]> {
  return beforeRedis(stage, options, say, "pins in Redis", PINS, (own, name, count) =>
    fillPins(own, name, count),
  );
}

/** Strict edges, each in a fleet of so many on a Redis of its own; the others have nothing to do. */
async function edgeSeries(stage: Stage, options: Options, say: Say): Promise<readonly Table[]> {
  const others: Running[] = [];
  const sizes = options.full ? EDGES : EDGES.slice(0, 2);
  try {
    return await beforeRedis(
      stage,
      options,
      say,
      "edges on one Redis",
      sizes,
      async (redis, namespace, count) => {
        const cores = { ...stage.cores, subject: stage.cores.rest };
        for (let nth = 1; nth < count; nth += 1) {
          const ports = { http: stage.nextPort(), tls: stage.nextPort() };
          const setup = { name: `${namespace}-${nth}`, namespace, pinnedBy: "redis", settings: {} } as const;
          others.push(await startMeridian({ ...stage, cores, redis }, ports, setup));
        }
        await sleep(2_000);
      },
    );
  } finally {
    await Promise.all(others.map((each) => each.stop()));
  }
}

async function beforeRedis(
  stage: Stage,
  options: Options,
  say: Say,
  what: string,
  sizes: readonly number[],
  prepare: (redis: number, namespace: string, size: number) => Promise<void>,
): Promise<readonly Table[]> {
  const servers: Running[] = [];
  const variants = sizes.map((size, nth): Variant => {
    const name = `before-${nth}`;
    const start: Subject["start"] = async (on, ports) => {
      const redis = on.nextPort();
      servers.push(await startOwnRedis(on, redis, name));
      await prepare(redis, name, size);
      const identity = [{ header: "authorization" }];
      const settings = { consistency: { mode: "strict", identity }, log: { access: "off" } };
      return startMeridian({ ...on, redis }, ports, { name, pinnedBy: "redis", settings });
    };
    const subject = { name, job: "pins", pinnedBy: "redis", needs: [], lacks: [], start } as const;
    return { label: `${size}`, subject, shape: shapeOf("100b", options) };
  });
  try {
    return await costs(stage, options, say, what, variants);
  } finally {
    await Promise.all(servers.map((each) => each.stop()));
  }
}
