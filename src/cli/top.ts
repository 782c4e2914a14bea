import type { Command } from "commander";
import { scrape } from "./client.ts";
import { type ClientIo, type ClientOptions, clientCommand, run } from "./command.ts";
import { followEvents } from "./event-feed.ts";
import { eventText } from "./event-text.ts";
import { paint } from "./render.ts";
import { statusOf } from "./status.ts";
import { type Glance, topLines } from "./top-text.ts";
import { onScreen } from "./watch.ts";

const EVERY_MS = 1_000;
const KEPT = 100;

export function addTop(program: Command, io: ClientIo): void {
  const command = clientCommand(program, "top", "watch an edge live: regions, traffic, reasons, events");
  command
    .addHelpText("after", "\nExample:\n  meridian top --admin http://10.0.0.5:9090")
    .action((options: ClientOptions) => {
      if (options.json || io.terminal === undefined)
        return command.error("error: top draws on a terminal; for a program: meridian status --watch --json");
      const { terminal } = io;
      return run(io, options, async () => {
        await top(terminal, options, io);
        return { data: null, text: "" };
      });
    });
}

async function top(
  terminal: NonNullable<ClientIo["terminal"]>,
  options: ClientOptions,
  { ended, colours }: ClientIo,
): Promise<void> {
  const happenings: string[] = [];
  const over = new AbortController();
  const followed = followEvents(
    options,
    (name, data) => {
      happenings.push(eventText(name, data));
      if (happenings.length > KEPT) happenings.shift();
    },
    over.signal,
  );
  // The first fails as every command does: with what to do about it.
  let before = await glance(options);
  try {
    await onScreen(terminal, ended, EVERY_MS, async (rows) => {
      const now = await glance(options);
      const lines = topLines(before, now, happenings, rows);
      before = now;
      return colours ? paint(lines.join("\n")).split("\n") : lines;
    });
  } finally {
    over.abort();
    await followed;
  }
}

async function glance(options: ClientOptions): Promise<Glance> {
  const [seen, metrics] = await Promise.all([statusOf(options), scrape(options)]);
  return { ...seen, metrics, atMs: performance.now() };
}
