import { execFile } from "node:child_process";
import { createReadStream, rmSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { percentile } from "./statistics.ts";
import type { Counted } from "./wrk.ts";

const run = promisify(execFile);
/** So many requests at once on each connection. */
const STREAMS = 8;

/** As many requests at once as `atOnce`, over an eighth as many connections. Its log says how long each has taken. */
export async function h2load(
  url: string,
  atOnce: number,
  seconds: number,
  directory: string,
): Promise<Counted> {
  const logFile = path.join(directory, "h2load.tsv");
  rmSync(logFile, { force: true });
  const connections = Math.max(1, Math.round(atOnce / STREAMS));
  const how = [
    "-t",
    "1",
    "-c",
    `${connections}`,
    "-m",
    `${STREAMS}`,
    "-D",
    `${seconds}`,
    "--log-file",
    logFile,
  ];
  const { stdout } = await run("h2load", [...how, url]);
  const summary = parseH2load(stdout);
  const latencies: number[] = [];
  for await (const line of createInterface(createReadStream(logFile))) {
    const [, , us] = line.split("\t");
    if (us !== undefined) latencies.push(Number(us) / 1e3);
  }
  const sorted = Float64Array.from(latencies).sort();
  const [p50Ms, p99Ms, p999Ms] = [0.5, 0.99, 0.999].map((share) => percentile(sorted, share));
  const percentiles = {
    p50Ms: p50Ms ?? 0,
    p99Ms: p99Ms ?? 0,
    p999Ms: p999Ms ?? 0,
    maxMs: percentile(sorted, 1),
  };
  return { ...summary, ...percentiles, seconds };
}

/** What h2load says at its end. */
export function parseH2load(output: string): Pick<Counted, "requests" | "failed" | "bytes"> {
  const number = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const requests = number(/(\d+) succeeded/);
  if (Number.isNaN(requests)) throw new Error(`h2load has counted nothing:\n${output}`);
  const bytes = number(/^traffic: .*\((\d+)\) total/m);
  return {
    requests,
    bytes,
    failed: number(/(\d+) failed/) + number(/(\d+) errored/) + number(/(\d+) timeout/),
  };
}
