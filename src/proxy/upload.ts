import type { BodyRules } from "./body.ts";
import type { Place } from "./gate.ts";
import { Patience, type PatienceRules } from "./patience.ts";

export interface UploadTerms {
  /** 0: no limit. */
  readonly limitBytes: number;
  readonly pace: PatienceRules;
  /** What the request holds of its region while its body comes. */
  readonly places: readonly Place[];
}

/** On which terms the body of one attempt is read. */
export class Upload implements BodyRules {
  readonly limitBytes: number;
  readonly patience: Patience;
  readonly #places: readonly Place[];

  /**
   * @param now monotonic milliseconds
   * @param lost called when the client is too slow
   */
  constructor({ limitBytes, pace, places }: UploadTerms, now: () => number, lost: () => void) {
    this.limitBytes = limitBytes;
    this.patience = new Patience(pace, now, lost);
    this.#places = places;
  }

  readonly arrived = (): void => {
    for (const place of this.#places) place.arrived();
  };

  /** The region answers although the body has not ended: the two converse, at a pace of their own. */
  answered(): void {
    this.patience.relax();
    this.arrived();
  }
}
