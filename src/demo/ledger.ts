/** What a {@link RequestLedger} has seen; the answer to `GET /ledger`. */
export interface LedgerSummary {
  /** Unsafe requests executed, by any region. */
  readonly executed: number;
  /** Request ids of unsafe requests that were executed more than once; the first hundred. */
  readonly duplicates: readonly string[];
  /** How often each `x-meridian-write-epoch` was seen; `none` when the header was missing. */
  readonly epochs: Readonly<Record<string, number>>;
  /** Unsafe requests answered 421, which execute nothing. */
  readonly misdirected: number;
}

/** Counts every unsafe request that the regions of one world execute, by its `x-request-id`. */
export class RequestLedger {
  readonly #timesById = new Map<string, number>();
  readonly #epochs = new Map<string, number>();
  #executed = 0;
  #misdirected = 0;

  executed(requestId: string | undefined, epoch: string | undefined): void {
    this.#executed += 1;
    this.#epochs.set(epoch ?? "none", (this.#epochs.get(epoch ?? "none") ?? 0) + 1);
    if (requestId !== undefined) this.#timesById.set(requestId, this.times(requestId) + 1);
  }

  misdirected(): void {
    this.#misdirected += 1;
  }

  /** How often the request of this id was executed. */
  times(requestId: string): number {
    return this.#timesById.get(requestId) ?? 0;
  }

  summary(): LedgerSummary {
    const repeated = [...this.#timesById].filter(([, times]) => times > 1).map(([id]) => id);
    return {
      executed: this.#executed,
      duplicates: repeated.slice(0, 100),
      epochs: Object.fromEntries(this.#epochs),
      misdirected: this.#misdirected,
    };
  }
}
