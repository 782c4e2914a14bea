import { systemClock } from "./clock.ts";
import { formatProblem, loadConfigFile } from "./config/load.ts";
import { formatWarning, type TextSink } from "./config/validate.ts";
import { type Edge, startEdge } from "./edge.ts";
import { suitGarbageToRequests } from "./garbage.ts";
import { scrubbed } from "./observe/error-fields.ts";
import { createLogger, type Logger } from "./observe/log.ts";
import { LogSink } from "./observe/sink.ts";
import { UncaughtErrors } from "./uncaught.ts";

/** How long the last log lines may take to get out. */
const FLUSH_MS = 500;

/** How much longer than its grace a stop may take before the process ends without it. */
const OVERDUE_MS = 5_000;

/**
 * Runs one edge until a signal ends it. TERM and INT let requests finish and stop, a second one at once; HUP
 * reloads the configuration. Resolves to the exit status: 0 after a stop, 1 when it could not start or had to give up.
 */
export async function serveCommand(file: string, err: TextSink): Promise<0 | 1> {
  suitGarbageToRequests();
  const loaded = await loadConfigFile(file, process.env);
  for (const warning of loaded.warnings) err.write(`${formatWarning(file, warning)}\n`);
  if (!loaded.ok) {
    for (const problem of loaded.problems) err.write(`${formatProblem(file, problem)}\n`);
    return 1;
  }
  const { config, warnings } = loaded;
  // Nobody who reads no warnings keeps an edge from starting, nor does a full disk.
  process.stderr.on("error", () => {});
  const sink = new LogSink(process.stdout);
  const log = createLogger({ level: config.log.level, edge: config.edge.id }, sink);
  const uncaught = new UncaughtErrors(log, systemClock);
  uncaught.listen();
  // Secrets come by the environment, which Node would write into the report of a crash.
  if (process.report) process.report.excludeEnv = true;
  try {
    const configFile = file === "-" ? null : file;
    const logLinesDropped = (): number => sink.dropped;
    const logged = (lines: string): void => sink.write(lines);
    const starting = startEdge({ config, warnings, log, configFile, logLinesDropped, logged });
    const edge = await Promise.race([starting, uncaught.early]);
    uncaught.goOn(edge.events);
    const { httpUrl: http, httpsUrl: https, adminUrl: admin } = edge;
    log.info({ http, ...(https === null ? {} : { https }), admin }, "ready");
    const status = await untilStopped(edge, log, uncaught);
    log.info({ status }, "stopped");
    return status;
  } catch (error) {
    err.write(`${whyNotStarted(error)}\n`);
    return 1;
  } finally {
    await sink.flush(FLUSH_MS);
  }
}

/** Resolves to the exit status: 0 when a signal asked for it, 1 when the edge is not to be trusted any more, or hangs. */
function untilStopped(edge: Edge, log: Logger, uncaught: UncaughtErrors): Promise<0 | 1> {
  return new Promise((resolve) => {
    const stop = (status: 0 | 1): void => {
      const overdueMs = edge.config.get().shutdown.grace + OVERDUE_MS;
      setTimeout(() => {
        log.error("the stop is overdue");
        resolve(1);
      }, overdueMs);
      void edge.stop().then(() => resolve(status));
    };
    const signalled = (signal: NodeJS.Signals): void => {
      log.info({ signal }, "stopping");
      stop(0);
    };
    process.on("SIGTERM", signalled);
    process.on("SIGINT", signalled);
    process.on("SIGHUP", () => void edge.reload());
    void uncaught.storm.then(() => {
      log.fatal("stopping: too many uncaught errors");
      stop(1);
    });
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
