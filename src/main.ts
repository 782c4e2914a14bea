import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { addClientCommands } from "./cli/commands.ts";
import { addCompletion } from "./cli/completion.ts";
import { validateCommand } from "./config/validate.ts";
import { serveCommand } from "./serve.ts";
import { version } from "./version.ts";

/** Exit statuses: 0 fine, 1 failed to start or check, 2 bad usage. */
const BAD_USAGE = 2;

const program = new Command("meridian")
  .description(
    "A global traffic router: the nearest region that may serve, sticky sessions, read-your-writes.",
  )
  .version(version)
  .showHelpAfterError("(meridian --help lists the commands)")
  .exitOverride();

program
  .command("serve")
  .description("run one edge")
  .requiredOption("-c, --config <file>", "configuration file; - reads standard input")
  .addHelpText(
    "after",
    "\nSignals: TERM and INT let requests finish and stop, a second one at once; HUP reloads the configuration." +
      "\n\nExample:\n  meridian serve -c meridian.yaml",
  )
  .action(async ({ config }: { config: string }) => {
    process.exit(await serveCommand(config, process.stderr));
  });

program
  .command("validate")
  .description("check a configuration as serve would, and print every problem")
  .requiredOption("-c, --config <file>", "configuration file; - reads standard input")
  .option("--print", "show the effective configuration, secrets redacted", false)
  .addHelpText("after", "\nExample:\n  meridian validate -c meridian.yaml --print")
  .action(async ({ config, print }: { config: string; print: boolean }) => {
    const { stdout: out, stderr: err } = process;
    process.exitCode = await validateCommand(config, { print, environment: process.env, out, err });
  });

program
  .command("demo")
  .description("three simulated regions, one edge, light traffic and a live table")
  .addOption(
    new Option("--redis <url>", "keep pins in this Redis; without it they live in the process").env(
      "MERIDIAN_REDIS",
    ),
  )
  .option("--port <port>", "where the edge listens", portNumber, 8080)
  .option("--admin-port <port>", "where the admin API listens", portNumber, 9090)
  .option("--for <seconds>", "end by itself after so long", positiveNumber)
  .option("--plain", "plain lines even on a terminal", false)
  .addHelpText(
    "after",
    "\nExamples:\n  meridian demo\n  meridian demo --redis redis://127.0.0.1:6379 --for 60",
  )
  .action(async (options: DemoOptions) => {
    // Only the demo needs simulated regions; an edge never loads them.
    const { runDemo } = await import("./demo/demo.ts");
    const { redis = null, port, adminPort, plain } = options;
    const status = await runDemo({
      redisUrl: redis,
      out: process.stdout,
      in: process.stdin,
      port,
      adminPort,
      plain,
      ...(options.for === undefined ? {} : { forSeconds: options.for }),
    });
    process.exit(status);
  });

const { stdin, stdout, stderr } = process;
addClientCommands(program, {
  out: stdout,
  err: stderr,
  ...(stdout.isTTY ? { terminal: { out: stdout, in: stdin } } : {}),
  // By NO_COLOR, FORCE_COLOR and TERM too.
  colours: stdout.isTTY === true && stdout.hasColors(),
  setExitStatus: (status) => {
    process.exitCode = status;
  },
});

await addCompletion(program, process.argv.slice(2), process.env);
for (const command of program.commands)
  command.showHelpAfterError(`(meridian ${command.name()} --help says more)`);

interface DemoOptions {
  readonly redis?: string;
  readonly port: number;
  readonly adminPort: number;
  readonly plain: boolean;
  readonly for?: number;
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError("Not a port.");
  return port;
}

function positiveNumber(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0)) throw new InvalidArgumentError("Not a number of seconds.");
  return seconds;
}

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : BAD_USAGE;
}
