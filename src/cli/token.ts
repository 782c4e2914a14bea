import { type Command, Option } from "commander";
import { readText } from "../config/read-text.ts";

/** The options by which a client command gets its token. */
export function tokenOptions(): readonly Option[] {
  return [
    new Option(
      "--token <token>",
      "a token of its admin.tokens; whoever lists processes here sees it, so better:",
    ).env("MERIDIAN_TOKEN"),
    new Option("--token-file <file>", "a file that holds the token; - reads standard input").env(
      "MERIDIAN_TOKEN_FILE",
    ),
  ];
}

/** What a command's options hold, as far as it concerns who calls where. */
interface Given {
  readonly admin?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

/**
 * Before a client command runs: reads the token from its file, so that the command finds it as if it had been given. What
 * the command line says counts more than the environment.
 */
export async function takeToken(command: Command, warn: (text: string) => void): Promise<void> {
  const { admin, token, tokenFile } = command.opts<Given>();
  if (admin !== undefined) refuseCredentials(command, admin);
  const typed = (name: keyof Given) => command.getOptionValueSource(name) === "cli";
  if (typed("token") && typed("tokenFile")) command.error("error: give --token or --token-file, not both");
  if (typed("token")) warn("warning: --token shows in the list of processes; --token-file does not\n");
  const isFile = tokenFile !== undefined && (token === undefined || (typed("tokenFile") && !typed("token")));
  const chosen = isFile ? await tokenIn(tokenFile, command) : token;
  if (chosen !== undefined && !/^[!-~]+$/.test(chosen)) {
    command.error("error: a token is letters, digits and signs without spaces, and at least one of them");
  }
  command.setOptionValue("token", chosen);
}

async function tokenIn(file: string, command: Command): Promise<string> {
  const read = await readText(file);
  if (read.ok) return read.text.trim();
  return command.error(`error: the token file ${file === "-" ? "<stdin>" : file} ${read.message}`);
}

/** They would go nowhere, and into every message that names the address. */
function refuseCredentials(command: Command, admin: string): void {
  const { username, password } = new URL(admin);
  if (username + password !== "") {
    command.error("error: the admin API takes no user or password in its URL; give --token-file");
  }
}
