import type { RawCase } from "./case.ts";
import { judge, type Outcome } from "./judge.ts";
import { type Lane, type Observation, observe } from "./observe.ts";

export interface Played {
  readonly given: RawCase;
  readonly observed: Observation;
  readonly outcome: Outcome;
}

/** Plays every case once, as many at a time as there are lanes. */
export async function playAll(cases: readonly RawCase[], lanes: readonly Lane[]): Promise<readonly Played[]> {
  const played: Played[] = [];
  const queue = cases.map((given, index) => ({ given, index }));
  const work = async (lane: Lane): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { given, index } = next;
      const observed = await observe(given, lane, idOf(index));
      played[index] = { given, observed, outcome: judge(given, observed) };
    }
  };
  await Promise.all(lanes.map(work));
  return played;
}

/** Four characters, as `{id}` has, so that lengths stay what a case says. */
function idOf(index: number): string {
  return `q${index.toString(36).padStart(3, "0")}`;
}
