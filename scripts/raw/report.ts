import type { Played } from "../../test/raw/play.ts";

/** What one proxy did with every case. */
export interface Score {
  readonly name: string;
  readonly version: string;
  readonly played: readonly Played[];
}

/** How many of some cases ended in each way. */
export interface Tally {
  readonly cases: number;
  readonly refused: number;
  readonly normalised: number;
  readonly passed: number;
  /** Waited for the rest, or cut an answer that was cut. */
  readonly other: number;
  /** Passed on, or done, what the RFC says to refuse. */
  readonly unsafe: number;
  readonly reused: number;
  readonly poisoned: number;
}

export function tallyOf(played: readonly Played[]): Tally {
  const count = (fits: (each: Played["outcome"]) => boolean): number =>
    played.filter(({ outcome }) => fits(outcome)).length;
  return {
    cases: played.length,
    refused: count(({ verdict }) => verdict === "refused"),
    normalised: count(({ verdict }) => verdict === "normalised"),
    passed: count(({ verdict }) => verdict === "passed"),
    other: count(({ verdict }) => verdict === "waits" || verdict === "cut"),
    unsafe: count(({ unsafe }) => unsafe),
    reused: count(({ reused }) => reused),
    poisoned: count(({ poisoned }) => poisoned),
  };
}

/** A table with a row for each group and the sum, and below it every case that was not safe. */
export function markdownOf(scores: readonly Score[]): string {
  const groups = [...new Set(scores.flatMap(({ played }) => played.map(({ given }) => given.group)))];
  const names = scores.map(({ name, version }) => `${name} ${version}`);
  return [
    `| | cases | ${names.join(" | ")} |`,
    `|---|---|${"---|".repeat(scores.length)}`,
    ...groups.map((group) => rowOf(group, scores, (played) => played.given.group === group)),
    rowOf("**all**", scores, () => true),
    "",
    "A cell: refused / put right / passed on / other; then, where there is any, how many were **unsafe**, left a connection",
    "in use that should have been closed (**reused**), or let a request or an answer go where it should not (**poisoned**).",
    "",
    ...scores.flatMap(problemsOf),
  ].join("\n");
}

function rowOf(name: string, scores: readonly Score[], fits: (each: Played) => boolean): string {
  const tallies = scores.map(({ played }) => tallyOf(played.filter(fits)));
  return `| ${name} | ${tallies[0]?.cases ?? 0} | ${tallies.map(cellOf).join(" | ")} |`;
}

function cellOf({ refused, normalised, passed, other, unsafe, reused, poisoned }: Tally): string {
  const bad = Object.entries({ unsafe, reused, poisoned })
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `; **${count} ${word}**`);
  return `${refused} / ${normalised} / ${passed} / ${other}${bad.join("")}`;
}

function problemsOf({ name, played }: Score): string[] {
  const lines = played.flatMap(({ given, outcome }) => {
    const words = [
      outcome.unsafe ? outcome.verdict : "",
      outcome.reused ? `reused (${given.closes})` : "",
      outcome.poisoned ? "poisoned" : "",
    ].filter((word) => word !== "");
    return words.length === 0 ? [] : [`- ${given.group}: ${given.name}: ${words.join(", ")}`];
  });
  return lines.length === 0 ? [`${name}: nothing unsafe.`, ""] : [`${name}:`, "", ...lines, ""];
}
