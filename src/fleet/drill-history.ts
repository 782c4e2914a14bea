import { type DrillReport, readReport } from "./drill-report.ts";
import { SharedAway, type SharedHash } from "./shared-hash.ts";

const LIST = "drills";
const MOST_KEPT = 100;

/** The reports of past drills, the newest first: a list beside the shared hash. */
export class DrillHistory {
  readonly #hash: SharedHash;
  #known: readonly DrillReport[] = [];

  constructor(hash: SharedHash) {
    this.#hash = hash;
  }

  /** The last that is known. */
  get known(): readonly DrillReport[] {
    return this.#known;
  }

  /** Resolves to the last that is known when the shared memory does not answer. */
  async read(): Promise<readonly DrillReport[]> {
    try {
      const texts = await this.#hash.list(LIST);
      const reports = texts.flatMap((text) => readReport(text) ?? []);
      // Whoever was not sure that it was written may have written it twice.
      this.#known = [
        ...new Map(reports.toReversed().map((report) => [report.id, report])).values(),
      ].toReversed();
    } catch (error) {
      if (!(error instanceof SharedAway)) throw error;
    }
    return this.#known;
  }

  /** Rejects with `SharedAway`, and then it may be written all the same. */
  async write(report: DrillReport): Promise<void> {
    await this.#hash.push(LIST, JSON.stringify(report), MOST_KEPT);
    await this.read();
  }
}
