import { Tally } from "../../src/demo/tally.ts";

/** A tally that also says which fault was on when an error happened, and counts what is not read or written. */
export class SoakTally extends Tally {
  /** The fault that is on at the moment. */
  phase = "calm";
  /** Requests that are neither a visitor's read nor its write. */
  others = 0;
  readonly kinds = new Map<string, number>();
  /** Undeclared stale reads, by where and when they were seen. */
  readonly staleWhere = new Map<string, number>();

  override get requests(): number {
    return super.requests + this.others;
  }

  override error(method: string, kind: string): void {
    super.error(method, `${kind} during ${this.phase}`);
  }

  override stale(declared: boolean, where: { readonly region: string; readonly reason: string }): void {
    super.stale(declared, where);
    if (declared) return;
    const words = `${where.region} (${where.reason}) during ${this.phase}`;
    this.staleWhere.set(words, (this.staleWhere.get(words) ?? 0) + 1);
  }

  other(kind: string): void {
    this.others += 1;
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
  }
}
