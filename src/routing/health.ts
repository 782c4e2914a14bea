import type { Health } from "./region.ts";

/**
 * Health as probes alone tell it, plus the run of consecutive probes that contradict it. `degraded` is
 * the region's own word and lies over this, so it needs no counting.
 */
export interface HealthState {
  readonly health: Exclude<Health, "degraded">;
  readonly contrary: number;
}

/** Consecutive probes it takes to change health; HAProxy's terms. */
export interface Thresholds {
  readonly rise: number;
  readonly fall: number;
}

/** Nothing was ever observed; not served until a first probe has passed. */
export const UNOBSERVED: HealthState = { health: "unknown", contrary: 0 };

/** What an ejection leaves: `rise` passing probes bring it back. */
export const DOWN: HealthState = { health: "down", contrary: 0 };

/**
 * The health after one more probe. One counter is enough: it counts only probes that disagree with
 * `health`, so "consecutive" cannot be wrong. From `unknown` the first probe decides.
 */
export function observe(state: HealthState, passed: boolean, { rise, fall }: Thresholds): HealthState {
  const seen = passed ? "up" : "down";
  if (seen === state.health) return { health: seen, contrary: 0 };
  const contrary = state.contrary + 1;
  const needed = state.health === "unknown" ? 1 : passed ? rise : fall;
  return contrary >= needed ? { health: seen, contrary: 0 } : { ...state, contrary };
}

/** Doubling stops at eight times the configured `rise`. */
const MAX_DOUBLINGS = 3;

/**
 * Thresholds for something that flaps: every recent fall beyond the first doubles the passes it has to
 * show. It is BGP's flap damping reduced to its use: a region that is up one second in two stays out,
 * one that fell once comes back as fast as configured.
 */
export function damped({ rise, fall }: Thresholds, recentFalls: number): Thresholds {
  const doublings = Math.min(Math.max(recentFalls - 1, 0), MAX_DOUBLINGS);
  return { rise: rise * 2 ** doublings, fall };
}
