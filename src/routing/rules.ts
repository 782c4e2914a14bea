import type { PathRule } from "./intent.ts";
import type { ResidencyRule } from "./residency.ts";

export type Policy = "latency" | "priority" | "weighted";

/** For how long a session that moved reads from the writer: until its new region has caught up with the old one. */
export interface MonotonicReads {
  /** When that region does not say how far it lags. */
  readonly unknownLagMs: number;
  /** By how much the reported lag may be out of date. */
  readonly marginMs: number;
}

/** The operator's rules that a decision follows, compiled from the configuration. */
export interface Rules {
  readonly policy: Policy;
  readonly topology: "single-writer" | "multi-writer";
  readonly whenAllDown: "try" | "refuse";
  readonly whenWriterDown: "refuse" | "stale";
  /** A replica that lags more does not serve identified readers. */
  readonly maxLagMs: number;
  /** Whether a session that moves to another replica may not see an older state there; null: it may. */
  readonly monotonicReads: MonotonicReads | null;
  /** First match wins. */
  readonly residency: readonly ResidencyRule[];
  /** First match wins. */
  readonly paths: readonly PathRule[];
}
