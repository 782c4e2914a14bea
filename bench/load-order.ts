import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { percentile } from "./statistics.ts";
import { type Counted, type CountedLine, type Load, parseCounted } from "./wrk.ts";

const LUA = path.join(import.meta.dirname, "load", "rate.lua");
const CLIENT = path.join(import.meta.dirname, "load-client.ts");
const RATE_WARM_UP_SECONDS = 4;

/** What `load-client.ts` is told to do. */
export interface Order {
  readonly kind: "messages" | "spread";
  readonly port: number;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
}

/** Does what is ordered; `begun` is called when every connection is open and warm, and the load waits for it. */
export function load(order: Order, begun: () => Promise<void>): Promise<Counted> {
  return measured([process.execPath, CLIENT, JSON.stringify(order)], begun);
}

export interface RateLoad extends Load {
  readonly perSecond: number;
}

/** Requests at a fixed rate, with latencies that count from when each was meant to be sent. `begun`: see {@link load}. */
export function fixedRate(
  { url, connections, seconds, readers, perSecond }: RateLoad,
  begun: () => Promise<void>,
): Promise<Counted> {
  const { users, writePercent, cookieFile } = readers ?? { users: 0, writePercent: 0, cookieFile: "-" };
  const who = [`${users}`, `${writePercent}`, cookieFile];
  const how = [new URL(url).port, connections, perSecond, seconds, RATE_WARM_UP_SECONDS].map(String);
  return measured(["wrk", "-t", "1", "-c", "1", "-d", "1s", "-s", LUA, url, "--", ...who, ...how], begun);
}

async function measured([program = "", ...args]: readonly string[], begun: () => Promise<void>) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => undefined);
  let output = "";
  for await (const line of createInterface(child.stdout)) {
    output += `${line}\n`;
    if (line !== "OPEN") continue;
    await begun();
    child.stdin.write("\n");
  }
  return parseCounted(output);
}

/** In the words of `load/counted.lua`. */
export function countedOf(latenciesMs: readonly number[], seconds: number, failed: number): CountedLine {
  const sorted = Float64Array.from(latenciesMs).sort();
  const us = (share: number) => Math.round(percentile(sorted, share) * 1_000);
  const none = { bytes: 0, connect: 0, read: 0, write: 0, timeout: 0 };
  const percentiles = { p50Us: us(0.5), p99Us: us(0.99), p999Us: us(0.999), maxUs: us(1) };
  return { ...none, ...percentiles, requests: sorted.length, durationUs: seconds * 1e6, status: failed };
}
