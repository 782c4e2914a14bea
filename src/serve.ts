import { formatProblem, loadConfigFile } from "./config/load.ts";
import { formatWarning, type TextSink } from "./config/validate.ts";
import { type Edge, startEdge } from "./edge.ts";
import { scrubbed } from "./observe/error-fields.ts";
import { createLogger, type Logger } from "./observe/log.ts";
import { LogSink } from "./observe/sink.ts";

/** How long the last log lines may take to get out. */
const FLUSH_MS = 500;

/**
 * Runs one edge until a signal ends it. TERM and INT let requests finish and stop, a second one at once; HUP
 * reloads the configuration. Resolves to the exit status: 0 after a stop, 1 when it could not start.
 */
export async function serveCommand(file: string, err: TextSink): Promise<0 | 1> {
  const loaded = await loadConfigFile(file, process.env);
  for (const warning of loaded.warnings) err.write(`${formatWarning(file, warning)}\n`);
  if (!loaded.ok) {
    for (const problem of loaded.problems) err.write(`${formatProblem(file, problem)}\n`);
    return 1;
  }
  const { config, warnings } = loaded;
  const sink = new LogSink(process.stdout);
  const log = createLogger({ level: config.log.level, edge: config.edge.id }, sink);
  surviveBugs(log);
  try {
    const configFile = file === "-" ? null : file;
    const edge = await startEdge({ config, warnings, log, configFile, logLinesDropped: () => sink.dropped });
    const { httpUrl: http, httpsUrl: https, adminUrl: admin } = edge;
    log.info({ http, ...(https === null ? {} : { https }), admin }, "ready");
    await untilStopped(edge, log);
    log.info("stopped");
    return 0;
  } catch (error) {
    err.write(`${whyNotStarted(error)}\n`);
    return 1;
  } finally {
    await sink.flush(FLUSH_MS);
  }
}

/** A bug met by one request must not take everybody's connections with it: it is logged, and the edge goes on. */
function surviveBugs(log: Logger): void {
  // Secrets come by the environment, which Node would write into the report of a crash.
  if (process.report) process.report.excludeEnv = true;
  process.on("uncaughtException", (err, origin) => log.error({ err, origin }, "uncaught"));
}

function untilStopped(edge: Edge, log: Logger): Promise<void> {
  return new Promise((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      log.info({ signal }, "stopping");
      void edge.stop().then(resolve);
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    process.on("SIGHUP", () => void edge.reload());
  });
}

function whyNotStarted(error: unknown): string {
  const { code, message, port, address } = error as NodeJS.ErrnoException & {
    port?: number;
    address?: string;
  };
  if (code === "EADDRINUSE")
    return `meridian: ${address}:${port} is taken; choose another port, or stop what listens there`;
  if (code === "EACCES")
    return `meridian: no permission to listen on port ${port}; ports below 1024 need CAP_NET_BIND_SERVICE`;
  return `meridian: ${scrubbed(message)}`;
}
