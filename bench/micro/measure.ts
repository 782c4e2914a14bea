import { getHeapStatistics } from "node:v8";

/** One operation, and what it may cost. */
export interface Micro {
  readonly name: string;
  /** For one operation: about half as much again as it took on the two cores that it was first measured on. */
  readonly budgetNs: number;
  /** Of memory that one operation takes from the heap. */
  readonly budgetBytes: number;
  /** How many operations one call of `run` is; 1 when left out. */
  readonly operations?: number;
  /** Does it once, the `i`th time; what it returns is looked at, so that nothing is optimised away. */
  run(i: number): unknown;
}

export interface Cost {
  readonly ns: number;
  readonly bytes: number;
}

const WARM_UP_MS = 150;
const ROUNDS = 30;
const ROUND_MS = 10;

/**
 * Time of the fastest of many short rounds, since whatever else runs on the machine only ever makes one slower; memory of the
 * thriftiest, since the compiler, too, takes memory while it works.
 */
export async function costOf({ run, operations = 1 }: Micro): Promise<Cost> {
  let next = 0;
  const calls = async (count: number): Promise<Cost> => {
    const bytesBefore = getHeapStatistics().total_allocated_bytes;
    const startedAtMs = performance.now();
    for (let i = 0; i < count; i += 1) {
      const result = run(next);
      next += 1;
      if (result instanceof Promise) await result;
      else kept = result;
    }
    const tookMs = performance.now() - startedAtMs;
    const bytes = getHeapStatistics().total_allocated_bytes - bytesBefore;
    return { ns: (tookMs * 1e6) / count / operations, bytes: bytes / count / operations };
  };
  let count = 1;
  for (const endMs = performance.now() + WARM_UP_MS; performance.now() < endMs; )
    count = Math.max(1, Math.ceil((ROUND_MS * 1e6) / ((await calls(count)).ns * operations)));
  const rounds: Cost[] = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await calls(count));
  return {
    ns: least(rounds.map(({ ns }) => ns)),
    bytes: Math.round(least(rounds.map(({ bytes }) => bytes))),
  };
}

/** The last result, where the compiler has to leave it. */
export let kept: unknown = null;

function least(values: readonly number[]): number {
  return Math.min(...values);
}
