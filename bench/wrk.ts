import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const LOAD = path.join(import.meta.dirname, "load");

/** What one run of wrk has counted. */
export interface Counted {
  readonly requests: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Connections that failed, answers that did not come, and answers other than 2xx and 3xx. */
  readonly failed: number;
}

/** The names in the line that says what was counted. */
export type CountedLine = Readonly<
  Record<
    | "requests"
    | "durationUs"
    | "bytes"
    | "p50Us"
    | "p99Us"
    | "p999Us"
    | "maxUs"
    | "connect"
    | "read"
    | "write"
    | "status"
    | "timeout",
    number
  >
>;

export interface Load {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Who asks: nobody in particular, or users of whom some write. */
  readonly readers: {
    readonly users: number;
    readonly writePercent: number;
    readonly cookieFile: string;
  } | null;
  readonly headers?: readonly string[];
}

/** Resolves when the load is over. */
export async function wrk({ url, connections, seconds, readers, headers = [] }: Load): Promise<Counted> {
  const script = path.join(LOAD, readers === null ? "counted.lua" : "readers.lua");
  const more = readers === null ? [] : [`${readers.users}`, `${readers.writePercent}`, readers.cookieFile];
  const { stdout } = await run("wrk", [
    ...["-t", "1", "-c", `${connections}`, "-d", `${seconds}s`, "--timeout", "10s", "-s", script],
    ...headers.flatMap((header) => ["-H", header]),
    ...[url, "--", ...more],
  ]);
  return parseCounted(stdout);
}

/** The line that `load/counted.lua` writes. */
export function parseCounted(output: string): Counted {
  const [, json] = /^COUNTED (\{.*\})$/m.exec(output) ?? [];
  if (json === undefined) throw new Error(`wrk has counted nothing:\n${output}`);
  const counted = JSON.parse(json) as Record<string, number>;
  const of = (name: string) => counted[name] ?? Number.NaN;
  const failed = ["connect", "read", "write", "status", "timeout"].reduce((sum, name) => sum + of(name), 0);
  return {
    requests: of("requests"),
    seconds: of("durationUs") / 1e6,
    bytes: of("bytes"),
    p50Ms: of("p50Us") / 1e3,
    p99Ms: of("p99Us") / 1e3,
    p999Ms: of("p999Us") / 1e3,
    maxMs: of("maxUs") / 1e3,
    failed,
  };
}
