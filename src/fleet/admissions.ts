import type { Admission } from "../routing/region.ts";
import { Board } from "./board.ts";
import type { Fields, SharedHash } from "./shared-hash.ts";

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

const FIELD_PREFIX = "admission:";

/** Records as they stand in the shared hash: only the very same text is the same word. */
const TEXTS = new WeakMap<AdmissionRecord, string>();

/** The admissions that all edges share: one JSON field for each region. */
export class AdmissionStore {
  readonly #hash: SharedHash;
  readonly #board = new Board<Admissions>(new Map());

  constructor(hash: SharedHash) {
    this.#hash = hash;
    hash.onChange((fields) => this.#follow(fields));
    this.#follow(hash.get());
  }

  /** The last that is known. */
  get(): Admissions {
    return this.#board.get();
  }

  /** The last word wins. Resolves when it is stored; rejects with `SharedAway` when it is not. */
  async set(region: string, record: AdmissionRecord): Promise<void> {
    await this.#hash.set({ [FIELD_PREFIX + region]: JSON.stringify(record) });
  }

  /**
   * The same, unless somebody has said another word since `last`; undefined is that nobody has said any. Resolves to
   * whether it is stored.
   */
  setAfter(region: string, last: AdmissionRecord | undefined, record: AdmissionRecord): Promise<boolean> {
    const field = FIELD_PREFIX + region;
    const before = last === undefined ? "" : textOf(last);
    return this.#hash.setIf(field, before, { [field]: JSON.stringify(record) });
  }

  /** Calls back after every change, until the function it returns is called. */
  onChange(listener: (admissions: Admissions) => void): () => void {
    return this.#board.onChange(listener);
  }

  /**
   * A word that was there and is not was lost with the memory: opening is a word too, none is ever taken back. It is
   * kept, and put back unless somebody has said a newer one.
   */
  #follow(fields: Fields): void {
    const known = this.get();
    const stored = readAdmissions(fields);
    const lost = [...known].filter(([region]) => !stored.has(region));
    for (const [region, record] of lost) stored.set(region, record);
    if (!sameWords(stored, known)) this.#board.replace(stored);
    for (const [region, record] of lost) {
      const field = FIELD_PREFIX + region;
      void this.#hash.setIf(field, "", { [field]: textOf(record) }).catch(() => false);
    }
  }
}

/** What cannot be read is left out: another version of an edge may have written it. */
function readAdmissions(fields: Fields): Map<string, AdmissionRecord> {
  const admissions = new Map<string, AdmissionRecord>();
  for (const [field, json] of fields) {
    const record = field.startsWith(FIELD_PREFIX) ? readRecord(json) : null;
    if (record !== null) admissions.set(field.slice(FIELD_PREFIX.length), record);
  }
  return admissions;
}

function readRecord(json: string): AdmissionRecord | null {
  try {
    const given: unknown = JSON.parse(json);
    if (!isRecord(given)) return null;
    TEXTS.set(given, json);
    return given;
  } catch {
    return null;
  }
}

function textOf(record: AdmissionRecord): string {
  return TEXTS.get(record) ?? JSON.stringify(record);
}

function sameWords(one: Admissions, other: Admissions): boolean {
  const text = (record: AdmissionRecord | undefined) => (record === undefined ? "" : textOf(record));
  return one.size === other.size && [...one].every(([id, word]) => textOf(word) === text(other.get(id)));
}

function isRecord(given: unknown): given is AdmissionRecord {
  if (typeof given !== "object" || given === null) return false;
  const { state, reason, by, sinceWallMs, deadlineWallMs, window } = given as Partial<
    Record<string, unknown>
  >;
  return (
    (state === "open" || state === "draining" || state === "closed") &&
    typeof reason === "string" &&
    typeof by === "string" &&
    typeof sinceWallMs === "number" &&
    (deadlineWallMs === null || typeof deadlineWallMs === "number") &&
    (window === undefined || isMark(window))
  );
}

function isMark(given: unknown): given is WindowMark {
  if (typeof given !== "object" || given === null) return false;
  const { id, endWallMs } = given as Partial<Record<string, unknown>>;
  return typeof id === "string" && typeof endWallMs === "number";
}
