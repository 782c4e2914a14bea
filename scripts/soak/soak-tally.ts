import { Tally } from "../../src/demo/tally.ts";

/** A tally that also says which fault was on when an error happened, and counts what is not read or written. */
export class SoakTally extends Tally {
  /** The fault that is on at the moment. */
  phase = "calm";
  /** Requests that are neither a visitor's read nor its write. */
  others = 0;
  readonly kinds = new Map<string, number>();

  override get requests(): number {
    return super.requests + this.others;
  }

  override error(method: string, kind: string): void {
    super.error(method, `${kind} during ${this.phase}`);
  }

  other(kind: string): void {
    this.others += 1;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }
}
