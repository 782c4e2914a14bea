import { nextStart, readCron } from "./cron.ts";
import type { Finding, Path } from "./problems.ts";
import { type ConfigRule, writersOf } from "./rule.ts";
import type { Config } from "./schema.ts";
import { didYouMean } from "./spelling.ts";
import { formatDuration } from "./values.ts";

/** What cannot be meant of a calendar. */
export const scheduleContradictions: readonly ConfigRule[] = [
  { about: ["regions", "schedule"], find: windowOfStranger },
  { about: ["schedule"], find: windowWithoutEnd },
];

/** What works, and will be refused or put off when its time comes. */
export const scheduleCautions: readonly ConfigRule[] = [
  { about: ["regions", "routing", "schedule"], find: windowOfWriter },
  { about: ["regions", "schedule"], find: windowsThatMeet },
];

/** A year of Sundays. A fixed one, for a file is as right tomorrow as it is today. */
const LOOKED_FROM_WALL_MS = Date.UTC(2027, 0, 1);
const LOOKED_AT = 54;

interface Window {
  readonly index: number;
  readonly region: string;
  readonly startWallMs: number;
  readonly endWallMs: number;
}

function finding(index: number, key: string, message: string, hint: string): Finding {
  const path: Path = ["schedule", "maintenance", index, key];
  return { path, message, hint };
}

function windowOfStranger({ schedule, regions }: Config): readonly Finding[] {
  const names = Object.keys(regions);
  return schedule.maintenance.flatMap(({ region }, index) => {
    if (Object.hasOwn(regions, region)) return [];
    const hint = didYouMean(region, names) ?? `the regions are ${names.join(", ")}`;
    return [finding(index, "region", "no such region", hint)];
  });
}

function windowWithoutEnd({ schedule }: Config): readonly Finding[] {
  return schedule.maintenance.flatMap(({ lasts }, index) => {
    const windows = windowsOf(schedule.maintenance, index);
    const gaps = windows
      .slice(1)
      .map(({ startWallMs }, before) => startWallMs - (windows[before]?.startWallMs ?? 0));
    const gap = Math.min(...gaps);
    if (lasts < gap) return [];
    const message = `${formatDuration(lasts)} is not shorter than the ${formatDuration(gap)} from one start to the next`;
    return [finding(index, "lasts", message, "shorten it, or let it begin less often")];
  });
}

function windowOfWriter(config: Config): readonly Finding[] {
  const writers = writersOf(config).map(({ name }) => name);
  return config.schedule.maintenance.flatMap(({ region, action }, index) => {
    if (writers.length !== 1 || writers[0] !== region) return [];
    const message = `the ${action} is refused each time, as long as ${region} takes the writes`;
    return [finding(index, "region", message, "move the write region before it begins, or leave it out")];
  });
}

/** Two windows of one region at a time, or windows of all regions. */
function windowsThatMeet({ schedule, regions }: Config): readonly Finding[] {
  const { maintenance } = schedule;
  const windows = maintenance
    .flatMap((_, index) => windowsOf(maintenance, index))
    .sort((a, b) => a.startWallMs - b.startWallMs || a.index - b.index);
  const found = new Map<string, Finding>();
  let open: readonly Window[] = [];
  for (const window of windows) {
    open = open.filter(({ endWallMs }) => endWallMs > window.startWallMs);
    const met = meeting(window, open, Object.keys(regions).length);
    if (met !== null) found.set(JSON.stringify([met.path, met.message]), met);
    open = [...open, window];
  }
  return [...found.values()];
}

function meeting({ index, region }: Window, open: readonly Window[], regions: number): Finding | null {
  const same = open.find((other) => other.region === region);
  if (same !== undefined) {
    const message = `begins while maintenance[${same.index}] of ${region} lasts, and waits for its end`;
    return finding(index, "cron", message, "keep the windows of a region apart");
  }
  const away = new Set([...open.map((other) => other.region), region]);
  if (regions === 1 || away.size < regions) return null;
  const message = "begins while all other regions have theirs, so it is refused";
  return finding(index, "cron", message, "keep the windows of the last two regions apart");
}

function windowsOf(maintenance: Config["schedule"]["maintenance"], index: number): readonly Window[] {
  const entry = maintenance[index];
  if (entry === undefined) return [];
  const cron = readCron(entry.cron, entry.timezone);
  const windows: Window[] = [];
  let startWallMs = nextStart(cron, LOOKED_FROM_WALL_MS);
  while (startWallMs !== null && windows.length < LOOKED_AT) {
    windows.push({ index, region: entry.region, startWallMs, endWallMs: startWallMs + entry.lasts });
    startWallMs = nextStart(cron, startWallMs);
  }
  return windows;
}
