import type { Operation } from "../chaos/history.ts";
import type { Sighting } from "./watch.ts";
import type { FailoverWorldRecord } from "./world-record.ts";

/** All that was seen of a scenario, by the one clock of the machine. */
export interface Evidence {
  readonly operations: readonly Operation[];
  /** By how much the one who sent them was late at worst. */
  readonly lateMs: number;
  readonly record: FailoverWorldRecord;
  readonly sightings: readonly Sighting[];
  /** What was to be broken, and could not be. */
  readonly missed: readonly string[];
  /** By edge, of those that were killed. */
  readonly killedAtMs: ReadonlyMap<string, number>;
  /** Where writes went at first, and where every edge has them in the end; null when they do not agree. */
  readonly firstWriter: string;
  readonly lastWriter: string | null;
  /** When it was broken, or the move was asked for. */
  readonly brokenAtMs: number;
  /** When every edge took writes in one epoch again. */
  readonly settledAtMs: number;
}

export function isServed({ status }: Operation): boolean {
  return status !== null && status < 300;
}

/** Under way when its edge was killed. */
export function isUnanswered({ edge, status, sentMs }: Operation, { killedAtMs }: Evidence): boolean {
  return status === null && sentMs <= (killedAtMs.get(edge) ?? Number.NEGATIVE_INFINITY);
}

/** What was over before anything was broken is none of the scenario's. */
export function failedOf(evidence: Evidence): readonly Operation[] {
  const isBefore = ({ headMs }: Operation) => headMs !== null && headMs < evidence.brokenAtMs;
  return evidence.operations.filter(
    (one) => !isServed(one) && !isUnanswered(one, evidence) && !isBefore(one),
  );
}
