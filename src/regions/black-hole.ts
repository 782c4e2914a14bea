/** What becomes of somebody who cannot reach a region. */
type Left = (listener: () => void) => () => void;

const STAYS: Left = () => () => {};

/**
 * A region that this edge cannot reach, because its loss is rehearsed: whoever wants to connect waits until his time is over,
 * and nothing is sent. What is open already is not touched.
 */
export class BlackHole {
  #region: string | null = null;
  readonly #waiting = new Set<() => void>();

  /** The region is lost. Only one is at a time. */
  open(region: string): void {
    this.close();
    this.#region = region;
  }

  /** All regions are to be had, also for those who wait for one. */
  close(): void {
    this.#region = null;
    for (const release of this.#waiting) release();
  }

  /**
   * Null when the region is to be had. Else resolves after `forMs` to true: nobody was reached. To false as soon as the region is to
   * be had again, or whoever asks is gone.
   *
   * @param leaving calls its listener when whoever asks is gone; returns how to stop listening
   */
  hides(region: string, forMs: number, leaving: Left = STAYS): Promise<boolean> | null {
    if (region !== this.#region) return null;
    return new Promise((resolve) => {
      const end = (isHidden: boolean): void => {
        clearTimeout(timer);
        stopListening();
        this.#waiting.delete(release);
        resolve(isHidden);
      };
      const release = (): void => end(false);
      const timer = setTimeout(end, forMs, true);
      const stopListening = leaving(release);
      this.#waiting.add(release);
    });
  }
}
