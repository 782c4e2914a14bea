import { type Command, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "../config/values.ts";
import { type AdminAddress, CallFailed, DEFAULT_ADMIN } from "./client.ts";
import { paint } from "./render.ts";
import { tokenOptions } from "./token.ts";
import { watch } from "./watch.ts";

/** A person reads no faster, and an edge has better things to do. */
const LEAST_INTERVAL_MS = 200;

export interface Output {
  write(text: string): unknown;
}

/** What a person sits at. */
export interface Terminal {
  readonly out: NodeJS.WriteStream;
  readonly in: NodeJS.ReadStream;
}

export interface ClientIo {
  readonly out: Output;
  readonly err: Output;
  /** Left out: what is printed goes to a file or another program. */
  readonly terminal?: Terminal;
  /** Whether `out` shows colours. */
  readonly colours?: boolean;
  /** Ends what would go on until somebody stops it. */
  readonly ended?: AbortSignal;
  /** 1 when a call failed; not called when all went well. */
  setExitStatus(status: number): void;
}

export interface ClientOptions extends AdminAddress {
  readonly json?: boolean;
}

export interface WatchOptions extends ClientOptions {
  /** How often, in milliseconds. */
  readonly watch?: number;
}

/** What a command found: as data for --json, as text for people. */
export interface Result {
  readonly data: unknown;
  readonly text: string;
}

export async function run(io: ClientIo, options: WatchOptions, work: () => Promise<Result>): Promise<void> {
  const { json = false, watch: everyMs } = options;
  if (everyMs !== undefined) return watch(io, { everyMs, json, work });
  try {
    const { data, text } = await work();
    if (json) io.out.write(`${JSON.stringify(data, null, 2)}\n`);
    else io.out.write(io.colours ? paint(text) : text);
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    io.err.write(`error: ${error.message}\n`);
    io.setExitStatus(1);
  }
}

export function changeCommand(program: Command, usage: string, description: string): Command {
  return clientCommand(program, usage, description).option("--dry-run", "only say what would move");
}

export function clientCommand(program: Command, usage: string, description: string): Command {
  const command = program
    .command(usage)
    .description(description)
    .addOption(
      new Option("--admin <url>", "the edge's admin API")
        .env("MERIDIAN_ADMIN")
        .default(DEFAULT_ADMIN)
        .argParser(httpUrl),
    )
    .option("--json", "print JSON");
  for (const option of tokenOptions()) command.addOption(option);
  return command;
}

/** Lets a command be looked at again and again. */
export function watchable(command: Command): Command {
  return command.addOption(
    new Option("--watch [duration]", "again and again, every 2s or as often as said")
      .preset("2s")
      .argParser(interval),
  );
}

function interval(text: string): number {
  try {
    const ms = parseDuration(text);
    if (ms >= LEAST_INTERVAL_MS) return ms;
  } catch {
    // What is said below is all there is to say.
  }
  throw new InvalidArgumentError("Expected a duration such as 2s, 200ms at least.");
}

function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError("Expected a URL such as http://127.0.0.1:9090.");
}
