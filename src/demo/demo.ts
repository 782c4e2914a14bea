import { setTimeout as sleep } from "node:timers/promises";
import { Screen } from "../cli/screen.ts";
import { systemClock } from "../clock.ts";
import { Happenings } from "./happenings.ts";
import { Keys } from "./keys.ts";
import { Stage } from "./stage.ts";
import { curlLines, type DemoView, plainLine, renderTable } from "./table.ts";

export interface DemoOptions {
  /** null: pins live in this process. */
  readonly redisUrl: string | null;
  readonly out: NodeJS.WriteStream;
  readonly in: NodeJS.ReadStream;
  /** Where the edge listens if it can; any free port otherwise. */
  readonly port: number;
  readonly adminPort: number;
  /** Ends by itself after so long; left out: when asked to. */
  readonly forSeconds?: number;
  /** Plain lines even on a terminal. */
  readonly plain?: boolean;
}

const REDRAW_MS = 500;
const LINE_MS = 2_000;

/** Plays until `q`, Ctrl-C, TERM or the time is up. Resolves to the exit status: 1 when it could not start. */
export async function runDemo(options: DemoOptions): Promise<0 | 1> {
  const leave = new AbortController();
  const quit = () => leave.abort();
  process.on("SIGINT", quit).on("SIGTERM", quit);
  try {
    const stage = await Stage.set(options, options.redisUrl);
    await play(stage, options, leave);
    return 0;
  } catch (error) {
    options.out.write(
      `The demo could not start: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return 1;
  } finally {
    process.off("SIGINT", quit).off("SIGTERM", quit);
  }
}

async function play(stage: Stage, options: DemoOptions, leave: AbortController): Promise<void> {
  const { forSeconds } = options;
  const timer = forSeconds === undefined ? undefined : setTimeout(() => leave.abort(), forSeconds * 1_000);
  const onTerminal = options.out.isTTY === true && options.plain !== true;
  try {
    await (onTerminal ? showTable : printLines)(stage, options, leave);
  } finally {
    clearTimeout(timer);
    await stage.clear();
    options.out.write(`${goodbye(stage.view("", []))}\n`);
  }
}

async function showTable(stage: Stage, options: DemoOptions, leave: AbortController): Promise<void> {
  const screen = new Screen(options.out, options.in);
  const happenings = new Happenings(systemClock.wall, () => undefined);
  const keys = new Keys(stage, happenings, () => leave.abort());
  const colour = options.out.hasColors();
  const draw = () => {
    const lines = renderTable(stage.view(keys.picked, happenings.lines), { rows: screen.rows, colour });
    screen.draw(lines);
  };
  for (const line of moved(stage, options)) happenings.add(line);
  happenings.watch(stage.edge.events);
  screen.open((key) => {
    keys.press(key);
    draw();
  });
  try {
    stage.visitors.start();
    await every(REDRAW_MS, draw, leave.signal);
  } finally {
    screen.close();
  }
}

async function printLines(stage: Stage, options: DemoOptions, leave: AbortController): Promise<void> {
  const print = (line: string) => options.out.write(`${line}\n`);
  const happenings = new Happenings(systemClock.wall, print);
  happenings.watch(stage.edge.events);
  const first = stage.view("eu-west", []);
  print(
    `Meridian demo: three simulated regions behind one edge at ${first.edgeUrl}, admin API at ${first.adminUrl}`,
  );
  for (const line of [...moved(stage, options), ...curlLines(first)]) print(line);
  stage.visitors.start();
  await every(LINE_MS, () => print(plainLine(stage.view("", []))), leave.signal);
}

/** What has to be said when a port was taken. */
function moved({ edge }: Stage, { port, adminPort }: DemoOptions): string[] {
  const isAt = (url: string, wanted: number) => wanted === 0 || new URL(url).port === String(wanted);
  return [
    ...(isAt(edge.httpUrl, port) ? [] : [`port ${port} is taken, so the edge is at ${edge.httpUrl}`]),
    ...(isAt(edge.adminUrl, adminPort)
      ? []
      : [`port ${adminPort} is taken, so the admin API is at ${edge.adminUrl}`]),
  ];
}

function goodbye({ reads, writes, errors, staleReads, uptimeSeconds }: DemoView): string {
  const failed = [...errors].map(([kind, count]) => `${kind} ${count}`).join(", ") || "none";
  return `${uptimeSeconds} s, ${reads} reads, ${writes} writes, errors: ${failed}, stale reads seen: ${staleReads}`;
}

async function every(periodMs: number, act: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    act();
    await sleep(periodMs, undefined, { signal }).catch(() => undefined);
  }
}
