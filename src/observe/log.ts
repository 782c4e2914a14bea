import { type Logger, pino, stdTimeFunctions } from "pino";
import { errorFields } from "./error-fields.ts";
import { LogSink } from "./sink.ts";

export type { Logger };

/**
 * JSON lines, by default on standard output: `level` as a word, `time` as ISO 8601, the edge's id, the
 * event's fields, and a constant `msg`. The level can be changed later (`logger.level`).
 */
export function createLogger(
  { level, edge, worker }: { readonly level: string; readonly edge: string; readonly worker?: number },
  sink: LogSink = new LogSink(process.stdout),
): Logger {
  const options = {
    level,
    base: worker === undefined ? { edge } : { edge, worker },
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: errorFields },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(options, sink);
  sink.onRecovered((lines) => logger.warn({ lines }, "log lines dropped"));
  return logger;
}
