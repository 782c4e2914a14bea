import { Command, CommanderError } from "commander";
import type { ClientIo } from "../../src/cli/command.ts";
import { addClientCommands } from "../../src/cli/commands.ts";

export interface Ran {
  readonly out: string;
  readonly err: string;
  readonly exitStatus: number;
}

/** Runs one command line in this process, as src/main.ts would. */
export async function run(args: readonly string[], given: Partial<ClientIo> = {}): Promise<Ran> {
  let out = "";
  let err = "";
  let exitStatus = 0;
  const program = new Command("meridian").exitOverride();
  program.configureOutput({ writeOut: (text) => (out += text), writeErr: (text) => (err += text) });
  addClientCommands(program, {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    setExitStatus: (status) => {
      exitStatus = status;
    },
    ...given,
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    exitStatus = error.exitCode === 0 ? 0 : 2;
  }
  return { out, err, exitStatus };
}

/** Columns of a table a fixed width apart, however wide their cells are. */
export const squeezed = (text: string) => text.replace(/ {2,}/g, "  ");
