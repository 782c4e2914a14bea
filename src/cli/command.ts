import { type Command, InvalidArgumentError, Option } from "commander";
import { type AdminAddress, CallFailed } from "./client.ts";
import { paint } from "./render.ts";
import { tokenOptions } from "./token.ts";

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export interface ClientIo {
  readonly out: Output;
  readonly err: Output;
  /** 1 when a call failed; not called when all went well. */
  setExitStatus(status: number): void;
}

export interface ClientOptions extends AdminAddress {
  readonly json?: boolean;
}

/** What a command found: as data for --json, as text for people. */
export interface Result {
  readonly data: unknown;
  readonly text: string;
}

export async function run(io: ClientIo, options: ClientOptions, work: () => Promise<Result>): Promise<void> {
  try {
    const { data, text } = await work();
    if (options.json) io.out.write(`${JSON.stringify(data, null, 2)}\n`);
    else io.out.write(io.out.isTTY && !process.env.NO_COLOR ? paint(text) : text);
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
        .default("http://127.0.0.1:9090")
        .argParser(httpUrl),
    )
    .option("--json", "print JSON");
  for (const option of tokenOptions()) command.addOption(option);
  return command;
}

function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError("Expected a URL such as http://127.0.0.1:9090.");
}
