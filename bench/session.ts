import { type Result, resultOf } from "./report.ts";
import { type Entrant, enter, findMost, orderOf, playRound, warmUp } from "./rounds.ts";
import type { Shape } from "./shapes.ts";
import type { Stage } from "./stage.ts";
import type { Subject } from "./subjects.ts";

/** What a shape came to, and what spoiled rounds of it. */
export interface Played {
  readonly shape: Shape;
  /** The subjects that cannot play it. */
  readonly unable: readonly string[];
  readonly results: readonly Result[];
  readonly flaws: readonly string[];
}

/** Every subject that can play the shape, round by round; all of them run from the first round to the last. */
export async function playShape(
  stage: Stage,
  subjects: readonly Subject[],
  shape: Shape,
  rounds: number,
  say: (line: string) => void,
): Promise<Played> {
  const asked = subjects.filter(({ job }) => shape.jobs.includes(job));
  const isAble = ({ lacks }: Subject) => !lacks.some((what) => what === shape.asks);
  const able = asked.filter(isAble);
  const unable = asked.filter((subject) => !isAble(subject)).map(({ name }) => name);
  if (unable.length > 0) say(`${shape.name}: left out, because they cannot do it: ${unable.join(", ")}\n`);
  const entrants: Entrant[] = [];
  const flaws: string[] = [];
  try {
    for (const subject of able) {
      const started = await prepared(subject, stage, shape).catch((error: Error) => error);
      if (started instanceof Error) flaws.push(`${subject.name}, ${shape.name}: ${started.message}`);
      else entrants.push(started);
    }
    if (shape.tool === "rate") await findMost(entrants, shape);
    for (let round = 0; round < rounds; round += 1)
      for (const entrant of orderOf(entrants, round)) {
        const done = await playRound(entrant, stage, shape);
        const figures =
          done === null
            ? "void"
            : `${done.requestsPerSecond.toFixed(0)}/s, ${done.processorUs.toFixed(1)} µs`;
        say(`${shape.name}, round ${round + 1}: ${entrant.subject.name} ${figures}\n`);
      }
  } finally {
    await Promise.all(entrants.map(({ running }) => running.stop()));
  }
  return {
    shape,
    unable,
    results: entrants.map(resultOf),
    flaws: [...flaws, ...entrants.flatMap((each) => each.flaws)],
  };
}

async function prepared(subject: Subject, stage: Stage, shape: Shape): Promise<Entrant> {
  const entrant = await enter(subject, stage);
  try {
    await warmUp(entrant, shape);
    return entrant;
  } catch (error) {
    await entrant.running.stop();
    throw error;
  }
}
