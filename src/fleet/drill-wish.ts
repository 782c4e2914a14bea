import type { Load } from "../routing/capacity.ts";
import type { DrillObjection, DrillPlan } from "../routing/drill.ts";
import type { Move } from "../routing/moves.ts";
import type { Drill } from "./drill.ts";

/** What is wanted of a drill. */
export interface DrillWish extends DrillPlan {
  readonly abortAbove: Drill["abortAbove"];
  readonly who: string;
  readonly reason: string;
  readonly forced: boolean;
}

/** Why a drill does not begin; `not_now` cannot be forced. */
export interface DrillRefusal {
  readonly word: DrillObjection["word"] | "not_now";
  readonly why: string;
  readonly instead: string;
}

/** What is known of a drill beforehand. */
export interface DrillOutlook {
  /** What no force can change. */
  readonly obstacle: DrillRefusal | null;
  readonly objections: readonly DrillObjection[];
  readonly warnings: readonly string[];
  readonly moves: readonly Move[];
  /** Requests a second of each region, now and while it lasts. */
  readonly load: readonly Load[];
}

/** No drill was begun. */
export class NotBegun extends Error {
  override name = "NotBegun";
  readonly refusal: DrillRefusal;

  constructor(refusal: DrillRefusal) {
    super(`${refusal.why}. ${refusal.instead}`);
    this.refusal = refusal;
  }
}

/** Somebody else was faster. */
export const OVERTAKEN: DrillRefusal = {
  word: "not_now",
  why: "another edge has begun a drill just now",
  instead: "Wait for its end, or stop it: meridian drill --stop",
};
