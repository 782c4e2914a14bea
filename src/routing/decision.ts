import type { Hold } from "./hold.ts";
import type { Intent } from "./intent.ts";
import type { View } from "./region.ts";
import type { Rules } from "./rules.ts";

/**
 * What is known of a user's pin. `unknown` is not `free`: the store did not answer, so the reader is
 * treated as pinned. `waived` is unknown too, but policy or budget lets it go elsewhere, marked. `unasked` holds
 * only as long as the choice is a writer anyway; see {@link needsPin}. Where something is known without the store, or
 * by it, what holds the user says more; see {@link DecisionInputs.hold}.
 */
export type PinReading = "free" | "pinned" | "unknown" | "waived" | "unasked";

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
  | "disowned"
  | "fenced"
  | "unknown"
  | "down"
  | "draining"
  | "lagging"
  | "behind"
  | "warming"
  | "less-preferred";

/** What the request says, read once. */
export interface Facts {
  readonly intent: Intent;
  /** Jurisdictions that may serve it; null when no residency rule matched. */
  readonly jurisdictions: readonly string[] | null;
  /** The region of its verified affinity cookie. */
  readonly affinity: string | null;
  /** How long ago its session came to that region from another, in milliseconds; null when it did not. */
  readonly movedMs: number | null;
  readonly identified: boolean;
  /** Uniform in [0, 1): chance is an argument, so a decision can be replayed. */
  readonly chance: number;
}

/**
 * All that a decision depends on. Deciding is pure, so these are also all it takes to explain it later.
 * `tried` names the regions this request has already failed in.
 */
export interface DecisionInputs {
  readonly facts: Facts;
  readonly pin: PinReading;
  /**
   * What is known to hold the user; null when nothing is. With `pinned` it is all there is. With `unknown` and `unasked`
   * it is what a token or this edge knows.
   */
  readonly hold: Hold | null;
  readonly view: View;
  readonly rules: Rules;
  readonly tried: readonly string[];
  /** Attempts made so far; whatever comes after the first is a retry. */
  readonly attempts: number;
}

export interface Routed {
  readonly kind: "routed";
  readonly region: string;
  readonly reason: Reason;
  /** What the answer must say when the guarantee is not the configured one. */
  readonly consistency: "degraded" | "stale" | "lost" | null;
  /** Where the session lives from now on, when it is not where this request is served. */
  readonly home?: string;
}

export interface Refused {
  readonly kind: "refused";
  readonly fault: "no_region" | "no_fresh_region" | "residency" | "writer_down" | "writer_moving";
}

export type Decision = Routed | Refused;

/** Why each region was kept or dropped; `obstacle` is null for the one that serves. */
export interface Verdict {
  readonly region: string;
  readonly obstacle: Obstacle | null;
}
