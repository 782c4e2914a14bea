import type { Admission } from "../routing/region.ts";
import { Board } from "./board.ts";

/** What an operator has said of a region. */
export interface AdmissionRecord {
  readonly state: Admission;
  readonly reason: string;
  readonly by: string;
  readonly sinceWallMs: number;
  /** When a drain turns into a close; null when it does not. */
  readonly deadlineWallMs: number | null;
  /** The window of the calendar that it is about; left out when it is about none. */
  readonly window?: WindowMark | undefined;
}

/** Of which window a drain or close is, and when it is over by itself. */
export interface WindowMark {
  readonly id: string;
  readonly endWallMs: number;
}

/** The operator's word on each region by name; a region without one is open. */
export type Admissions = ReadonlyMap<string, AdmissionRecord>;

/** Where admissions live: in this process, or shared by all edges of a fleet. */
export interface AdmissionStore {
  /** The last that is known. */
  get(): Admissions;
  /** The last word wins. Resolves when it is stored; rejects with {@link AdmissionStoreAway} when it is not. */
  set(region: string, record: AdmissionRecord): Promise<void>;
  /**
   * The same, unless somebody has said another word since `last`; undefined is that nobody has said any. Resolves to
   * whether it is stored.
   */
  setAfter(region: string, last: AdmissionRecord | undefined, record: AdmissionRecord): Promise<boolean>;
  /** Calls back after every change, until the function it returns is called. */
  onChange(listener: (admissions: Admissions) => void): () => void;
  /** Reads what is stored and goes on following it. Resolves even when the store does not answer. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The change was not stored, so no edge follows it. */
export class AdmissionStoreAway extends Error {
  override name = "AdmissionStoreAway";
}

/** Admissions of a lone edge; a restart forgets them. */
export class MemoryAdmissionStore implements AdmissionStore {
  readonly #board = new Board<Admissions>(new Map());

  get(): Admissions {
    return this.#board.get();
  }

  async set(region: string, record: AdmissionRecord): Promise<void> {
    this.#board.replace(new Map(this.#board.get()).set(region, record));
  }

  async setAfter(
    region: string,
    last: AdmissionRecord | undefined,
    record: AdmissionRecord,
  ): Promise<boolean> {
    if (this.#board.get().get(region) !== last) return false;
    await this.set(region, record);
    return true;
  }

  onChange(listener: (admissions: Admissions) => void): () => void {
    return this.#board.onChange(listener);
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {}
}
