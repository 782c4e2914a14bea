import type { Config } from "../config/schema.ts";
import type { Pid } from "../consistency/store.ts";
import type { OverloadCause, RequestRecord } from "../events.ts";
import type { MetricValues } from "../observe/merged-metrics.ts";
import type { Ports } from "../proxy/server.ts";
import type { KnownEndpoint } from "../regions/known.ts";
import type { Populations } from "../routing/drain-estimate.ts";

/*
 * What the primary process of an edge and its workers tell each other, over the channel that Node makes between them. It
 * keeps the order, and its end is how each learns of the other's death.
 */

/** All that a worker needs in order to begin. */
export interface Begin {
  readonly kind: "begin";
  /** From 1; the one that replaces it has the same. */
  readonly worker: number;
  readonly workers: number;
  /** The edge's, as the file has it. */
  readonly config: Config;
  readonly generatedSecret: string;
  /** A client may come back to any worker to resume its session of TLS. */
  readonly ticketKeys: Uint8Array;
  readonly known: readonly KnownEndpoint[];
}

/** What is asked of a worker, and what it answers. */
export interface Questions {
  metrics: { readonly asked: null; readonly answer: readonly MetricValues[] };
  decision: { readonly asked: string; readonly answer: RequestRecord | null };
  decisions: { readonly asked: number; readonly answer: readonly RequestRecord[] };
  release: { readonly asked: Pid; readonly answer: boolean };
}

export interface Ask<Name extends keyof Questions = keyof Questions> {
  readonly kind: "ask";
  readonly id: number;
  readonly name: Name;
  readonly asked: Questions[Name]["asked"];
}

export interface Stop {
  readonly kind: "stop";
  readonly graceMs: number;
  readonly ready: boolean;
}

export type ToWorker =
  | Begin
  | Ask
  | Stop
  | { readonly kind: "hurry" }
  /** A reload, or renewed certificates. */
  | { readonly kind: "configure"; readonly config: Config }
  /** What the prober, or another worker, has found out. */
  | { readonly kind: "known"; readonly known: readonly KnownEndpoint[] };

/** What a worker says of itself twice a second: it also shows that it lives. */
export interface WorkerReport {
  readonly kind: "report";
  readonly connections: Readonly<Record<"http" | "https", number>>;
  readonly overload: readonly OverloadCause[];
  readonly regions: ReadonlyMap<string, Populations>;
  /** Requests in flight, by `REGION ORIGIN`. */
  readonly inFlight: ReadonlyMap<string, number>;
}

export interface StartFailure {
  readonly code?: string | undefined;
  readonly port?: number | undefined;
  readonly address?: string | undefined;
  readonly message: string;
}

export type FromWorker =
  | WorkerReport
  | { readonly kind: "ready"; readonly ports: Ports }
  | { readonly kind: "failed"; readonly failure: StartFailure }
  | { readonly kind: "answer"; readonly id: number; readonly answer: Questions[keyof Questions]["answer"] }
  /** For whoever watches the edge; it is logged and counted here already. */
  | { readonly kind: "told"; readonly name: (typeof TOLD)[number]; readonly event: object }
  /** Requests to an endpoint have failed: one, or so many that it serves no more. */
  | { readonly kind: "suspect"; readonly region: string; readonly origin: string }
  | { readonly kind: "ejected"; readonly region: string; readonly origin: string; readonly cause: string };

/** What happens in one worker and is of use to whoever watches the edge; the rest all of them see. */
export const TOLD = ["warned", "redisState", "overloadChanged", "feedState", "audited"] as const;

export function endpointKey(region: string, origin: string): string {
  return `${region} ${origin}`;
}
