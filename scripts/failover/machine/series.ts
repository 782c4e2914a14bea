import { startRedis } from "../../../test/support/redis.ts";
import { AS_BUILT, MUTANTS, type Mutant } from "./mutants.ts";
import { type MachineRun, playMachine } from "./play-machine.ts";

/** They mostly wait. */
const AT_ONCE = 16;
/** More runs than these no mistake may survive. */
const MUTANT_RUNS = 48;

/** Plays the state machine with this seed, the next, and so on; several at a time, over one Redis. */
export async function playRuns(
  seed: number,
  count: number,
  mutant: Mutant = AS_BUILT,
): Promise<readonly MachineRun[]> {
  const redis = await startRedis({ aged: true });
  try {
    const runs: MachineRun[] = [];
    while (runs.length < count) {
      const seeds = Array.from(
        { length: Math.min(AT_ONCE, count - runs.length) },
        (_, nth) => seed + runs.length + nth,
      );
      runs.push(...(await Promise.all(seeds.map((each) => playMachine(each, redis, mutant)))));
      if (mutant !== AS_BUILT && runs.some(({ broken }) => broken.length > 0)) break;
    }
    return runs;
  } finally {
    await redis.stop();
  }
}

/** What a run that broke a promise did, for whoever looks for the cause. */
export function describeRun({ seed, script, broken }: MachineRun): string {
  return `seed ${seed}: ${broken.join("; ")}; ${JSON.stringify(script)}`;
}

/** Plays `count` runs and says what they came to. Resolves to whether every promise was kept. */
export async function playMachines(
  seed: number,
  count: number,
  say: (line: string) => void,
): Promise<boolean> {
  const runs = await playRuns(seed, count);
  const broken = runs.filter((run) => run.broken.length > 0);
  for (const run of broken) say(describeRun(run));
  const sum = (of: (run: MachineRun) => number) => runs.reduce((total, run) => total + of(run), 0);
  const deaths = sum((run) => run.deaths);
  const epochs = sum((run) => run.epochs - 1);
  const writes = sum((run) => run.acknowledged);
  say(
    `${runs.length} runs from seed ${seed}: ${deaths} edges died, ${epochs} epochs were begun, ${writes} writes were acknowledged; ${broken.length} runs broke a promise`,
  );
  return broken.length === 0;
}

/** Plays each mutant until it is caught. Resolves to whether all were. */
export async function playMutants(seed: number, say: (line: string) => void): Promise<boolean> {
  let isCaught = true;
  say("| build | runs | that show it | |\n| --- | ---: | ---: | --- |");
  for (const mutant of MUTANTS) {
    const runs = await playRuns(seed, MUTANT_RUNS, mutant);
    const showing = runs.filter(({ broken }) => broken.length > 0);
    const [first] = showing.flatMap(({ broken }) => broken);
    isCaught &&= showing.length > 0;
    say(`| ${mutant.name} | ${runs.length} | ${showing.length} | ${first ?? "NOT CAUGHT"} |`);
  }
  return isCaught;
}
