import { Board } from "./board.ts";
import type { Drill, DrillState, DrillTransition } from "./drill.ts";
import type { SharedHash } from "./shared-hash.ts";

const FIELD = "drill";
const NOTHING: DrillState = { drill: null, windows: {} };
/** Changes by others may come in between; more than these many in a row do not. */
const CHANGE_ATTEMPTS = 5;
/** No drill lasts longer than a day, so none of an earlier window could be begun. */
const REMEMBERED_MS = 2 * 86_400_000;
const TEXTS = "id region kind who reason by".split(" ");
const NUMBERS = "leaseUntilMs sinceMs untilMs epoch".split(" ");

/** What edges share of drills: one field of the shared hash, changed only as it was seen. */
export class DrillStore {
  readonly #hash: SharedHash;
  readonly #board = new Board<DrillState>(NOTHING);
  #text = "";

  constructor(hash: SharedHash) {
    this.#hash = hash;
    hash.onChange(() => this.#follow());
    this.#follow();
  }

  /** The last that is known. */
  get(): DrillState {
    return this.#board.get();
  }

  /** Calls back after every change, until the function it returns is called. */
  onChange(listener: (state: DrillState) => void): () => void {
    return this.#board.onChange(listener);
  }

  /**
   * Makes a change to what is so then. Resolves to whether it was made: false when the transition refuses. Rejects with
   * `SharedAway` when that is not known.
   */
  async change(transition: DrillTransition): Promise<boolean> {
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
      const next = transition(this.get(), this.#hash.nowMs());
      if (next === null) return false;
      if (await this.#hash.setIf(FIELD, this.#text, { [FIELD]: JSON.stringify(next) })) return true;
      await this.#hash.refresh();
    }
    return false;
  }

  #follow(): void {
    const text = this.#hash.get().get(FIELD) ?? "";
    if (text === this.#text) return;
    this.#text = text;
    const { drill, windows } = readState(text);
    // A memory that has lost which windows were begun is told again with the next change.
    const all = laterOf(this.get().windows, windows);
    this.#board.replace({ drill, windows: recent(all, this.#hash.nowMs()) });
  }
}

/** Nothing, when it is not ours: another version of an edge may have written it. */
function readState(text: string): DrillState {
  try {
    const { drill, windows } = JSON.parse(text) as Partial<Record<string, unknown>>;
    return { drill: isDrill(drill) ? drill : null, windows: isTexts(windows) ? windows : {} };
  } catch {
    return NOTHING;
  }
}

function isDrill(given: unknown): given is Drill {
  if (typeof given !== "object" || given === null) return false;
  const drill = given as Partial<Record<string, unknown>>;
  const { abortAbove, end, kind } = drill;
  return (
    TEXTS.every((key) => typeof drill[key] === "string") &&
    NUMBERS.every((key) => Number.isFinite(drill[key])) &&
    (kind === "drain" || kind === "black-hole") &&
    typeof abortAbove === "object" &&
    abortAbove !== null &&
    typeof end === "object"
  );
}

function isTexts(given: unknown): given is Record<string, string> {
  if (typeof given !== "object" || given === null) return false;
  return Object.values(given).every((text) => typeof text === "string");
}

/** The ids of windows of a line are in the order of their times. */
function laterOf(one: DrillState["windows"], other: DrillState["windows"]): DrillState["windows"] {
  const lines = new Set([...Object.keys(one), ...Object.keys(other)]);
  const later = (line: string) => [one[line] ?? "", other[line] ?? ""].sort()[1] ?? "";
  return Object.fromEntries([...lines].map((line) => [line, later(line)]));
}

function recent(windows: DrillState["windows"], nowMs: number): DrillState["windows"] {
  const startOf = (id: string) => Date.parse(id.slice(id.lastIndexOf("|") + 1));
  return Object.fromEntries(Object.entries(windows).filter(([, id]) => startOf(id) > nowMs - REMEMBERED_MS));
}
