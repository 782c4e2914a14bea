/** What visitors have seen so far. Counts only grow. */
export class Tally {
  reads = 0;
  writes = 0;
  /** Reads older than this user's last acknowledged write, when the answer did not say that it may be: must stay 0. */
  staleReads = 0;
  /** The same, but the answer said so in `x-meridian-consistency`. */
  declaredStale = 0;
  /** By method, and fault, status or error code: `PUT writer_down`. */
  readonly errors = new Map<string, number>();
  readonly byRegion = new Map<string, number>();
  readonly byReason = new Map<string, number>();

  get requests(): number {
    return this.reads + this.writes;
  }

  get errorCount(): number {
    return [...this.errors.values()].reduce((sum, count) => sum + count, 0);
  }

  error(method: string, kind: string): void {
    increment(this.errors, `${method} ${kind}`);
  }

  stale(declared: boolean, _where: { readonly region: string; readonly reason: string }): void {
    if (declared) this.declaredStale += 1;
    else this.staleReads += 1;
  }

  served(region: string, reason: string): void {
    increment(this.byRegion, region);
    increment(this.byReason, reason);
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
