import type { Play } from "./play.ts";
import type { FleetSettings } from "./settings.ts";

/** What has to hold in a scenario besides what always has to. */
export interface Promises {
  /** No request fails, but those that a killed edge had. */
  readonly noneFails: boolean;
  /** No acknowledged write is lost; else only what the lost region had given to nobody. */
  readonly losesNothing: boolean;
  /** How many epochs may be begun; null: any. */
  readonly moves: readonly number[] | null;
  /** Where writes go in the end. */
  readonly writer?: string;
  /** Redis may have lost a pin. */
  readonly forgets?: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly settings: FleetSettings;
  readonly promises: Promises;
  /** Resolves when what it has broken is mended, and all is settled again or should be. */
  readonly run: (play: Play) => Promise<void>;
}
