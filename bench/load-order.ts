import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { percentile } from "./statistics.ts";
import { type Counted, type CountedLine, parseCounted } from "./wrk.ts";

const run = promisify(execFile);

/** What `load-client.ts` is told to do. */
export interface Order {
  readonly kind: "rate" | "messages";
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly ratePerSecond: number;
  /** 0: nobody in particular. */
  readonly users: number;
  readonly writePercent: number;
  readonly cookieFile: string;
}

export async function load(order: Order): Promise<Counted> {
  const file = path.join(import.meta.dirname, "load-client.ts");
  const { stdout } = await run(process.execPath, [file, JSON.stringify(order)]);
  return parseCounted(stdout);
}

/** In the words of `load/counted.lua`. */
export function countedOf(latenciesMs: readonly number[], seconds: number, failed: number): CountedLine {
  const sorted = Float64Array.from(latenciesMs).sort();
  const us = (share: number) => Math.round(percentile(sorted, share) * 1_000);
  const none = { bytes: 0, connect: 0, read: 0, write: 0, timeout: 0 };
  const percentiles = { p50Us: us(0.5), p99Us: us(0.99), p999Us: us(0.999), maxUs: us(1) };
  return { ...none, ...percentiles, requests: sorted.length, durationUs: seconds * 1e6, status: failed };
}
