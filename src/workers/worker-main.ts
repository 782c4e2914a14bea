import { systemClock } from "../clock.ts";
import { suitGarbageToRequests } from "../garbage.ts";
import { scrubbed } from "../observe/error-fields.ts";
import { createLogger } from "../observe/log.ts";
import { LogSink } from "../observe/sink.ts";
import { UncaughtErrors } from "../uncaught.ts";
import type { Begin, FromWorker, StartFailure, ToWorker } from "./messages.ts";
import { Worker } from "./worker.ts";

/*
 * A process of `meridian serve` that carries requests. It is told what to do by the primary process, and ends with it: Node ends it
 * at once when the channel between them closes.
 */

const REPORT_MS = 500;
const FLUSH_MS = 500;
/** After a storm of uncaught errors: what is in flight may end. */
const STORM_GRACE_MS = 5_000;

suitGarbageToRequests();
const sink = new LogSink(process.stdout);
// A terminal and a service manager send signals to every process; the primary says what follows of them.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
// Secrets come by the environment, which Node would write into the report of a crash.
if (process.report) process.report.excludeEnv = true;

process.once("message", (message: ToWorker) => {
  if (message.kind === "begin") void run(message);
});

async function run(begin: Begin): Promise<void> {
  const { config } = begin;
  const log = createLogger({ level: config.log.level, edge: config.edge.id, worker: begin.worker }, sink);
  const uncaught = new UncaughtErrors(log, systemClock);
  uncaught.listen();
  try {
    const worker = new Worker(begin, { log, logLinesDropped: () => sink.dropped, tell });
    listen(worker);
    setInterval(() => worker.report(), REPORT_MS);
    const ports = await Promise.race([worker.start(), uncaught.early]);
    uncaught.goOn(worker.events);
    void uncaught.storm.then(async () => {
      log.fatal("stopping: too many uncaught errors");
      await worker.stop(STORM_GRACE_MS, true);
      await end(1);
    });
    worker.report();
    tell({ kind: "ready", ports });
  } catch (error) {
    tell({ kind: "failed", failure: failureOf(error) });
    await end(1);
  }
}

function listen(worker: Worker): void {
  process.on("message", (message: ToWorker) => {
    switch (message.kind) {
      case "known":
        return worker.learn(message.known);
      case "configure":
        return worker.configure(message.config);
      case "stop":
        return void worker.stop(message.graceMs, message.ready).then(() => end(0));
      case "hurry":
        return void worker.stop(0, false);
      case "ask":
        return void worker.answer(message).then((answer) => tell({ kind: "answer", id: message.id, answer }));
    }
  });
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

async function end(status: 0 | 1): Promise<void> {
  await sink.flush(FLUSH_MS);
  process.exit(status);
}

function failureOf(error: unknown): StartFailure {
  const { code, port, address, message } = error as NodeJS.ErrnoException & StartFailure;
  return { code, port, address, message: scrubbed(message) };
}
