import type { PathRule } from "./intent.ts";
import type { ResidencyRule } from "./residency.ts";

export type Policy = "latency" | "priority" | "weighted";

/** The operator's rules that a decision follows, compiled from the configuration. */
export interface Rules {
  readonly policy: Policy;
  readonly topology: "single-writer" | "multi-writer";
  readonly whenAllDown: "try" | "refuse";
  readonly whenWriterDown: "refuse" | "stale";
  /** A replica that lags more does not serve identified readers. */
  readonly maxLagMs: number;
  /** First match wins. */
  readonly residency: readonly ResidencyRule[];
  /** First match wins. */
  readonly paths: readonly PathRule[];
}
