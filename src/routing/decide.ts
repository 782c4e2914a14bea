import type { Region, View } from "./region.ts";

/** What a request wants. Upgrades are reads (or writes, by a path rule) that happen to stay. */
export type Intent = "read" | "write" | "static";

/**
 * What is known of a user's pin. `unknown` is not `free`: the store did not answer, so the reader is
 * treated as pinned. `waived` is unknown too, but policy or budget lets it go elsewhere, marked.
 */
export type PinReading = "free" | "pinned" | "unknown" | "waived";

/** Why a region was chosen; the word in `x-meridian-reason`, the log and the metric. */
export type Reason =
  | "write"
  | "pin"
  | "pin-unknown"
  | "affinity"
  | "latency"
  | "priority"
  | "weight"
  | "residency"
  | "failover"
  | "retry"
  | "static"
  | "last-resort";

/** Why a region was not chosen. */
export type Obstacle =
  | "residency"
  | "closed"
  | "tried"
  | "not-writer"
  | "unknown"
  | "down"
  | "draining"
  | "lagging"
  | "warming"
  | "less-preferred";

export type Policy = "latency" | "priority" | "weighted";

/** The operator's rules that a decision follows, compiled from the configuration. */
export interface Rules {
  readonly policy: Policy;
  readonly topology: "single-writer" | "multi-writer";
  readonly whenAllDown: "try" | "refuse";
  readonly whenWriterDown: "refuse" | "stale";
  /** A replica that lags more does not serve identified readers. */
  readonly maxLagMs: number;
}

/** What the request says, read once. */
export interface Facts {
  readonly intent: Intent;
  /** Jurisdictions that may serve it; null when no residency rule matched. */
  readonly jurisdictions: readonly string[] | null;
  /** The region of its verified affinity cookie. */
  readonly affinity: string | null;
  readonly identified: boolean;
  /** Uniform in [0, 1): chance is an argument, so a decision can be replayed. */
  readonly chance: number;
}

export interface Routed {
  readonly kind: "routed";
  readonly region: string;
  readonly reason: Reason;
  /** What the answer must say when the guarantee is not the configured one. */
  readonly consistency: "degraded" | "stale" | null;
}

export interface Refused {
  readonly kind: "refused";
  readonly fault: "no_region" | "residency" | "writer_down";
}

export type Decision = Routed | Refused;

/** Why each region was kept or dropped; `obstacle` is null for the one that serves. */
export interface Verdict {
  readonly region: string;
  readonly obstacle: Obstacle | null;
}
