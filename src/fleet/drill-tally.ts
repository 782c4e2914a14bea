import { FAULTS } from "../errors.ts";
import type { RequestRecord } from "../events.ts";
import type { Drill } from "./drill.ts";

/** What one edge has measured of a drill. Times are whole milliseconds since it began; null: not yet, or not by this edge. */
export interface Measures {
  /** Requests that came and ended while it was on. */
  readonly requests: number;
  /** Those of them that failed. */
  readonly lost: number;
  /** Those that were answered by another region after an attempt in vain. */
  readonly retried: number;
  /** When the edge knew that the region was lost. */
  readonly detectMs: number | null;
  /** When it last asked it for something. */
  readonly shiftMs: number | null;
  /** When the first request failed, or an attempt at it. */
  readonly troubleMs: number | null;
  /** When clients felt nothing of it any more: the first of twenty good answers in a row. */
  readonly recoveryMs: number | null;
  /** When the first write was answered by another region. */
  readonly firstWriteMs: number | null;
  readonly sessionsMoved: number;
  /** Reads of users who were held in the region, answered elsewhere. */
  readonly pinsMoved: number;
}

const NOTHING: Measures = {
  requests: 0,
  lost: 0,
  retried: 0,
  detectMs: null,
  shiftMs: null,
  troubleMs: null,
  recoveryMs: null,
  firstWriteMs: null,
  sessionsMoved: 0,
  pinsMoved: 0,
};

const GOOD_IN_A_ROW = 20;

type Rehearsed = Pick<Drill, "region" | "kind" | "writeRegion">;

/** Measures a drill at one edge, from what it is told. */
export class DrillTally {
  readonly #drill: Rehearsed;
  /** Whether it was on before this edge could know: then nobody can say when this edge noticed. */
  readonly #isLate: boolean;
  #measures: Measures = NOTHING;
  #goodInARow = 0;
  #goodSinceMs = 0;

  constructor(drill: Rehearsed, { followedMs, isLate }: { followedMs: number; isLate: boolean }) {
    this.#drill = drill;
    this.#isLate = isLate;
    // Until it has heard of the drill it goes on asking the region, if anybody has asked for something.
    this.#set({ shiftMs: followedMs });
    if (drill.kind === "drain") this.#set({ detectMs: followedMs });
  }

  get measures(): Measures {
    if (!this.#isLate) return this.#measures;
    return { ...this.#measures, detectMs: null, shiftMs: null };
  }

  /** The edge knows that the region is down. */
  down(atMs: number): void {
    if (this.#measures.detectMs === null) this.#set({ detectMs: atMs });
  }

  /** A request has ended. */
  request(record: RequestRecord, atMs: number): void {
    const startedMs = atMs - record.durationMs;
    if (startedMs < 0) return;
    const { requests, lost, retried, sessionsMoved, pinsMoved } = this.#measures;
    const isLost = isLostBy(record, this.#drill);
    const tried = record.attempts.some(
      ({ region, outcome }) => region === this.#drill.region && typeof outcome === "string",
    );
    this.#set({
      requests: requests + 1,
      lost: lost + Number(isLost),
      retried: retried + Number(tried && !isLost),
      sessionsMoved: sessionsMoved + Number(hasMoved(record, this.#drill)),
      pinsMoved: pinsMoved + Number(isPinMoved(record, this.#drill)),
    });
    this.#noteAttempts(record, startedMs);
    this.#noteWrite(record, atMs);
    this.#noteAnswer(isLost || tried, atMs);
  }

  #noteAttempts({ attempts }: RequestRecord, startedMs: number): void {
    let atMs = startedMs;
    for (const { region, durationMs } of attempts) {
      if (region === this.#drill.region)
        this.#set({ shiftMs: Math.max(this.#measures.shiftMs ?? 0, Math.round(atMs)) });
      atMs += durationMs;
    }
  }

  #noteWrite({ inputs, region, status }: RequestRecord, atMs: number): void {
    if (this.#measures.firstWriteMs !== null || inputs?.facts.intent !== "write" || status >= 400) return;
    if (region !== null && region !== this.#drill.region) this.#set({ firstWriteMs: atMs });
  }

  #noteAnswer(isBad: boolean, atMs: number): void {
    const { troubleMs, recoveryMs } = this.#measures;
    if (isBad) {
      this.#goodInARow = 0;
      if (troubleMs === null) this.#set({ troubleMs: atMs });
    } else if (troubleMs !== null && recoveryMs === null) {
      if (this.#goodInARow === 0) this.#goodSinceMs = atMs;
      this.#goodInARow += 1;
      if (this.#goodInARow === GOOD_IN_A_ROW) this.#set({ recoveryMs: this.#goodSinceMs });
    }
  }

  #set(change: Partial<Measures>): void {
    this.#measures = { ...this.#measures, ...change };
  }
}

/** Whether the client got no proper answer. One that left while nobody could be reached had none to wait for. */
export function isLostBy({ status, fault, attempts }: RequestRecord, { region, kind }: Rehearsed): boolean {
  if (status >= 500 || (fault !== null && FAULTS[fault].owner !== "client")) return true;
  if (status !== 499 || kind === "drain") return false;
  return attempts.some((attempt) => attempt.region === region && typeof attempt.outcome === "string");
}

function hasMoved({ affinity, inputs }: RequestRecord, { region }: Rehearsed): boolean {
  return affinity === "moved" && inputs?.facts.affinity === region;
}

/** With several writers the pin says which of them have the user's writes. */
function isPinMoved({ pin, inputs, region: served, fault }: RequestRecord, drill: Rehearsed): boolean {
  const { region, writeRegion } = drill;
  if (pin !== "pinned" || inputs?.facts.intent !== "read" || served === region || fault !== null)
    return false;
  return writeRegion === null ? (inputs.hold?.regions.includes(region) ?? false) : writeRegion === region;
}
