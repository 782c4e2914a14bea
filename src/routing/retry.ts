/** How many retries are allowed: a share of the requests of the last ten seconds, and never less than the floor. */
export interface RetryBudgetRules {
  readonly percent: number;
  /** Retries per second that are always allowed. */
  readonly floor: number;
}

const WINDOW_SECONDS = 10;

interface Second {
  readonly at: number;
  requests: number;
  retries: number;
}

/**
 * A retry budget over a sliding window, after Finagle's RetryBudget: a burst (a region dying with many
 * requests in flight) fits, a storm does not. Envoy's share of the requests in flight starves in just that burst
 * (envoyproxy/envoy#30205). Time is an argument.
 */
export class RetryBudget {
  #seconds: Second[] = [];

  request(nowMs: number): void {
    this.#second(nowMs).requests += 1;
  }

  /** Takes one retry out of the budget; false when it is spent. */
  take(nowMs: number, rules: RetryBudgetRules): boolean {
    const second = this.#second(nowMs);
    let requests = 0;
    let retries = 0;
    for (const each of this.#seconds) {
      requests += each.requests;
      retries += each.retries;
    }
    if (retries >= Math.max(rules.floor * WINDOW_SECONDS, (requests * rules.percent) / 100)) return false;
    second.retries += 1;
    return true;
  }

  #second(nowMs: number): Second {
    const at = Math.floor(nowMs / 1_000);
    const last = this.#seconds.at(-1);
    if (last?.at === at) return last;
    const fresh = { at, requests: 0, retries: 0 };
    this.#seconds = [...this.#seconds.filter((each) => each.at > at - WINDOW_SECONDS), fresh];
    return fresh;
  }
}
