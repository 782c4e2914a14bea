import { type ELDHistogram, monitorEventLoopDelay } from "node:perf_hooks";

/** How often the loop is asked, in milliseconds; what a sample exceeds it by is the lag. */
const RESOLUTION_MS = 10;

/** How late the event loop runs its timers: the time a request waits for the one before it. */
export class EventLoopLag {
  readonly #samples: ELDHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#samples.enable();
  }

  /** Lag in seconds at a quantile (1 is the worst) of the samples since {@link forget}; 0 without samples. */
  seconds(quantile: number): number {
    if (this.#samples.count === 0) return 0;
    const sampleMs = this.#samples.percentile(quantile * 100) / 1e6;
    return Math.max(0, sampleMs - RESOLUTION_MS) / 1_000;
  }

  forget(): void {
    this.#samples.reset();
  }

  close(): void {
    this.#samples.disable();
  }
}
