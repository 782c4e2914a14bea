import type { Entrant, Round } from "./rounds.ts";
import { ratios, type Spread, spreadOf } from "./statistics.ts";
import type { Job, Subject } from "./subjects.ts";

/** Rows of cells, the first one their heads. */
export type Table = readonly (readonly string[])[];

type Figure = keyof Round;

/** What one subject came to over the rounds that count. */
export interface Result {
  readonly subject: string;
  readonly job: Job;
  readonly pinnedBy: Subject["pinnedBy"];
  readonly rounds: readonly (Round | null)[];
  readonly spreads: Readonly<Record<Figure, Spread>>;
}

/** One of ours beside one of theirs: ours ÷ theirs, round by round. */
export interface Comparison {
  readonly ours: string;
  readonly theirs: string;
  readonly requestsPerSecond: Spread;
  readonly processorUs: Spread;
  readonly p99Ms: Spread;
}

const FIGURES: readonly Figure[] = [
  "requestsPerSecond",
  "processorUs",
  "busy",
  "p50Ms",
  "p99Ms",
  "p999Ms",
  "memoryMiB",
  "writerShare",
  "redisUs",
];

export function resultOf({ subject, rounds }: Entrant): Result {
  const spread = (figure: Figure) =>
    spreadOf(rounds.flatMap((round) => (round === null ? [] : [round[figure]])));
  const spreads = Object.fromEntries(FIGURES.map((figure) => [figure, spread(figure)]));
  return {
    subject: subject.name,
    job: subject.job,
    pinnedBy: subject.pinnedBy,
    rounds: [...rounds],
    spreads: spreads as Record<Figure, Spread>,
  };
}

export function compare(ours: Result, theirs: Result): Comparison {
  const of = (figure: Figure) => {
    const [mine, other] = [ours, theirs].map(({ rounds }) => rounds.map((each) => each?.[figure] ?? null));
    return spreadOf(ratios(mine ?? [], other ?? []));
  };
  return {
    ours: ours.subject,
    theirs: theirs.subject,
    requestsPerSecond: of("requestsPerSecond"),
    processorUs: of("processorUs"),
    p99Ms: of("p99Ms"),
  };
}

/**
 * The first of each job, which is ours as long as it is among them, against all others of it; and whatever else of ours
 * keeps pins where a peer keeps them, against that peer.
 */
export function comparisons(results: readonly Result[]): readonly Comparison[] {
  return (["forward", "pins"] as const).flatMap((job) => {
    const [first, ...others] = results.filter((result) => result.job === job);
    if (first === undefined) return [];
    const more = others.filter(({ subject, pinnedBy }) => isOurs(subject) && pinnedBy === "redis");
    const peers = others.filter(({ subject, pinnedBy }) => !isOurs(subject) && pinnedBy === "redis");
    return [
      ...others.map((theirs) => compare(first, theirs)),
      ...more.flatMap((ours) => peers.map((theirs) => compare(ours, theirs))),
    ];
  });
}

function isOurs(subject: string): boolean {
  return subject.startsWith("meridian");
}

const HEADS = [
  "subject",
  "req/s",
  "µs/req",
  "busy",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "MiB",
  "at writer",
  "Redis µs/req",
];
const RATIO_HEADS = ["ours ÷ theirs", "req/s", "µs/req", "p99"];

/** The tables of one shape: what was measured, and the ratios. */
export function tablesOf(results: readonly Result[]): readonly Table[] {
  const ratioRows = comparisons(results).map((each) => [
    `${each.ours} ÷ ${each.theirs}`,
    ...[each.requestsPerSecond, each.processorUs, each.p99Ms].map((spread) => ranged(spread, 2)),
  ]);
  return [[HEADS, ...results.map(rowOf)], ...(ratioRows.length === 0 ? [] : [[RATIO_HEADS, ...ratioRows]])];
}

function rowOf({ subject, job, spreads }: Result): readonly string[] {
  const middle = (figure: Figure, digits: number) => shown(spreads[figure].median, digits);
  const pins = job === "pins" ? [`${middle("writerShare", 2)}`, middle("redisUs", 1)] : ["", ""];
  return [
    ...[subject, ranged(spreads.requestsPerSecond, 0), ranged(spreads.processorUs, 1), middle("busy", 2)],
    ...[middle("p50Ms", 2), middle("p99Ms", 2), middle("p999Ms", 2), middle("memoryMiB", 0), ...pins],
  ];
}

/** The median, and between which figures it lies. */
export function ranged({ median, least, most }: Spread, digits: number): string {
  if (Number.isNaN(median)) return "void";
  return `${shown(median, digits)} [${shown(least, digits)}, ${shown(most, digits)}]`;
}

export function shown(value: number, digits: number): string {
  return Number.isNaN(value) ? "void" : value.toFixed(digits);
}

export function forTerminal(table: Table): string {
  const widths = (table[0] ?? []).map((_head, nth) => Math.max(...table.map((row) => row[nth]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, nth) => (nth === 0 ? cell.padEnd(widths[nth] ?? 0) : cell.padStart(widths[nth] ?? 0)))
      .join("  ");
  return `${table.map(line).join("\n")}\n`;
}

export function forMarkdown([head = [], ...rows]: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = `|${head.map((_cell, nth) => (nth === 0 ? "---" : "---:")).join("|")}|`;
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n`;
}
