import type { HealthState } from "../routing/health.ts";
import type { LatencyEstimate } from "../routing/latency.ts";
import type { Position } from "../routing/position.ts";
import type { Reported } from "./answer.ts";
import type { LastProbe } from "./endpoint.ts";

/** The last lag that an endpoint reported, and when. */
export interface ReportedLag {
  readonly lagMs: number;
  readonly atMs: number;
}

/** All that probes, and requests that failed, have told of an endpoint. Times are monotonic. */
export interface Known {
  readonly state: HealthState;
  readonly estimate: LatencyEstimate | null;
  readonly reported: Reported;
  readonly lastLag: ReportedLag | null;
  readonly lagMs: number | null;
  readonly applied: Position | null;
  readonly furthest: Position | null;
  readonly heardSinceMs: number;
  readonly fallsMs: readonly number[];
  readonly lastProbe: LastProbe | null;
}

/** The same, of which endpoint. */
export interface KnownEndpoint extends Known {
  readonly region: string;
  readonly origin: string;
}

/** How far the monotonic clock of this machine is ahead of that of this process, which begins with it. */
const AHEAD_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** By the clock of the machine, for another process. */
export function sent(known: KnownEndpoint): KnownEndpoint {
  return shifted(known, AHEAD_MS);
}

/** By the clock of this process, from another one. */
export function received(known: KnownEndpoint): KnownEndpoint {
  return shifted(known, -AHEAD_MS);
}

function shifted(known: KnownEndpoint, byMs: number): KnownEndpoint {
  const { estimate, lastLag } = known;
  return {
    ...known,
    estimate: estimate && { ...estimate, atMs: estimate.atMs + byMs },
    lastLag: lastLag && { ...lastLag, atMs: lastLag.atMs + byMs },
    heardSinceMs: known.heardSinceMs + byMs,
    fallsMs: known.fallsMs.map((fallMs) => fallMs + byMs),
  };
}
