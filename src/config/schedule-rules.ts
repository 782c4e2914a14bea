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
  { about: ["regions", "routing", "failover", "schedule"], find: drillOfWriter },
  { about: ["regions", "schedule"], find: windowsThatMeet },
  { about: ["schedule"], find: drillsThatMeet },
];

/** A year of Sundays. A fixed one, for a file is as right tomorrow as it is today. */
const LOOKED_FROM_WALL_MS = Date.UTC(2027, 0, 1);
const LOOKED_AT = 54;

/** Maintenance first: a drill that begins with it meets it. */
const LISTS = ["maintenance", "drills"] as const;
type List = (typeof LISTS)[number];

interface Window {
  readonly list: List;
  readonly index: number;
  readonly region: string;
  readonly startWallMs: number;
  readonly endWallMs: number;
}

function finding(list: List, index: number, key: string, message: string, hint: string): Finding {
  const path: Path = ["schedule", list, index, key];
  return { path, message, hint };
}

function windowOfStranger({ schedule, regions }: Config): readonly Finding[] {
  const names = Object.keys(regions);
  return LISTS.flatMap((list) =>
    schedule[list].flatMap(({ region }, index) => {
      if (Object.hasOwn(regions, region)) return [];
      const hint = didYouMean(region, names) ?? `the regions are ${names.join(", ")}`;
      return [finding(list, index, "region", "no such region", hint)];
    }),
  );
}

function windowWithoutEnd({ schedule }: Config): readonly Finding[] {
  return LISTS.flatMap((list) =>
    schedule[list].flatMap(({ lasts }, index) => {
      const windows = windowsOf(schedule, list, index);
      const gaps = windows
        .slice(1)
        .map(({ startWallMs }, before) => startWallMs - (windows[before]?.startWallMs ?? 0));
      const gap = Math.min(...gaps);
      if (lasts < gap) return [];
      const message = `${formatDuration(lasts)} is not shorter than the ${formatDuration(gap)} from one start to the next`;
      return [finding(list, index, "lasts", message, "shorten it, or let it begin less often")];
    }),
  );
}

/** The region that takes the writes, as the file has it; null where there are several. */
function onlyWriter(config: Config): string | null {
  const [writer, another] = writersOf(config);
  return another === undefined ? (writer?.name ?? null) : null;
}

function windowOfWriter(config: Config): readonly Finding[] {
  const writer = onlyWriter(config);
  return config.schedule.maintenance.flatMap(({ region, action }, index) => {
    if (region !== writer) return [];
    const message = `the ${action} is refused each time, as long as ${region} takes the writes`;
    const hint = "move the write region before it begins, or leave it out";
    return [finding("maintenance", index, "region", message, hint)];
  });
}

function drillOfWriter(config: Config): readonly Finding[] {
  const writer = onlyWriter(config);
  const failsOver = config.failover.mode === "automatic";
  return config.schedule.drills.flatMap(({ region, kind }, index) => {
    if (region !== writer || (failsOver && kind === "black-hole")) return [];
    const message = `the drill is refused each time, as long as ${region} takes the writes`;
    const hint = "move the write region before it begins, or black-hole it with failover.mode: automatic";
    return [finding("drills", index, "region", message, hint)];
  });
}

/** Two windows of one region at a time, or windows of all regions. */
function windowsThatMeet({ schedule, regions }: Config): readonly Finding[] {
  const most = Object.keys(regions).length;
  return meetings(schedule, ["maintenance"], (window, open) => meeting(window, open, most));
}

/** A drill is begun only while no other lasts, and nothing is out of service. */
function drillsThatMeet({ schedule }: Config): readonly Finding[] {
  return meetings(schedule, LISTS, ({ list, index }, [other]) => {
    if (list !== "drills" || other === undefined) return null;
    const place = `${other.list}[${other.index}] of ${other.region} lasts`;
    const message =
      other.list === "drills"
        ? `begins while ${place}, and waits for its end`
        : `begins while ${place}, so it is refused`;
    return finding(
      "drills",
      index,
      "cron",
      message,
      "keep drills apart from each other and from maintenance",
    );
  });
}

/** What `find` says of each window and those that are open when it begins, once for each thing that it says. */
function meetings(
  schedule: Config["schedule"],
  lists: readonly List[],
  find: (window: Window, open: readonly Window[]) => Finding | null,
): readonly Finding[] {
  const windows = lists
    .flatMap((list) => schedule[list].flatMap((_, index) => windowsOf(schedule, list, index)))
    .sort((a, b) => a.startWallMs - b.startWallMs);
  const found = new Map<string, Finding>();
  let open: readonly Window[] = [];
  for (const window of windows) {
    open = open.filter(({ endWallMs }) => endWallMs > window.startWallMs);
    const met = find(window, open);
    if (met !== null) found.set(JSON.stringify([met.path, met.message]), met);
    open = [...open, window];
  }
  return [...found.values()];
}

function meeting({ index, region }: Window, open: readonly Window[], regions: number): Finding | null {
  const same = open.find((other) => other.region === region);
  if (same !== undefined) {
    const message = `begins while maintenance[${same.index}] of ${region} lasts, and waits for its end`;
    return finding("maintenance", index, "cron", message, "keep the windows of a region apart");
  }
  const away = new Set([...open.map((other) => other.region), region]);
  if (regions === 1 || away.size < regions) return null;
  const message = "begins while all other regions have theirs, so it is refused";
  return finding("maintenance", index, "cron", message, "keep the windows of the last two regions apart");
}

function windowsOf(schedule: Config["schedule"], list: List, index: number): readonly Window[] {
  const entry = schedule[list][index];
  if (entry === undefined) return [];
  const { region, lasts } = entry;
  const cron = readCron(entry.cron, entry.timezone);
  const windows: Window[] = [];
  let startWallMs = nextStart(cron, LOOKED_FROM_WALL_MS);
  while (startWallMs !== null && windows.length < LOOKED_AT) {
    windows.push({ list, index, region, startWallMs, endWallMs: startWallMs + lasts });
    startWallMs = nextStart(cron, startWallMs);
  }
  return windows;
}
