import type { Options } from "./options.ts";
import type { Running } from "./process.ts";
import { ranged, shown, type Table } from "./report.ts";
import { type Entrant, enter, orderOf, playRound, type Round, warmUp } from "./rounds.ts";
import type { Shape } from "./shapes.ts";
import type { Stage } from "./stage.ts";
import { ratios, spreadOf } from "./statistics.ts";
import type { Subject } from "./subjects.ts";

/** One size of what grows. */
export interface Variant {
  readonly label: string;
  readonly subject: Subject;
  readonly shape: Shape;
  /** Its own Redis, once it has been started; null without. */
  redis(): Running | null;
}

export type Say = (line: string) => void;
export type Series = (stage: Stage, options: Options, say: Say) => Promise<readonly Table[]>;

interface Sized {
  readonly variant: Variant;
  readonly entrant: Entrant;
}

/** What a request costs at each size, beside what it costs at the first. */
export async function costs(
  stage: Stage,
  { rounds }: Options,
  say: Say,
  what: string,
  variants: readonly Variant[],
): Promise<readonly Table[]> {
  const all: Sized[] = [];
  try {
    for (const variant of variants) all.push({ variant, entrant: await enter(variant.subject, stage) });
    for (const { variant, entrant } of all) await warmUp(entrant, variant.shape);
    for (let round = 0; round < rounds; round += 1)
      for (const each of orderOf(all, round)) {
        const done = await playSize(each, stage);
        const figure = done === null ? "void" : `${done.processorUs.toFixed(1)} µs`;
        say(`${what}, round ${round + 1}: ${each.variant.label} ${figure}\n`);
      }
  } finally {
    await Promise.all(all.map(({ entrant }) => entrant.running.stop()));
  }
  for (const flaw of all.flatMap(({ entrant }) => entrant.flaws)) say(`void: ${flaw}\n`);
  return [tableOf(what, all)];
}

function playSize({ variant, entrant }: Sized, stage: Stage): Promise<Round | null> {
  return playRound(entrant, { ...stage, redisProcess: variant.redis() }, variant.shape);
}

function tableOf(what: string, all: readonly Sized[]): Table {
  const withRedis = all.some(({ variant }) => variant.redis() !== null);
  const heads = [
    what,
    "µs/req",
    "÷ the first",
    "req/s",
    "p99 ms",
    "MiB",
    ...(withRedis ? ["Redis µs/req"] : []),
  ];
  const usOf = (sized: Sized | undefined) =>
    sized?.entrant.rounds.map((each) => each?.processorUs ?? null) ?? [];
  const rows = all.map((sized) => {
    const figures = (of: (round: Round) => number) =>
      spreadOf(sized.entrant.rounds.flatMap((round) => (round === null ? [] : [of(round)])));
    return [
      sized.variant.label,
      ranged(
        figures(({ processorUs }) => processorUs),
        1,
      ),
      ranged(spreadOf(ratios(usOf(sized), usOf(all[0]))), 2),
      ranged(
        figures(({ requestsPerSecond }) => requestsPerSecond),
        0,
      ),
      shown(figures(({ p99Ms }) => p99Ms).median, 1),
      shown(figures(({ memoryMiB }) => memoryMiB).median, 0),
      ...(withRedis ? [shown(figures(({ redisUs }) => redisUs).median, 1)] : []),
    ];
  });
  return [heads, ...rows];
}
