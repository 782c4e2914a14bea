import type { Figures } from "./figures.ts";
import type { ScenarioResult } from "./run.ts";

const COLUMNS: readonly (readonly [heading: string, cell: (of: Figures) => unknown])[] = [
  ["requests", ({ requests }) => requests],
  ["failed", ({ failed }) => failed],
  ["unanswered", ({ unanswered }) => unanswered],
  ["twice", ({ twice }) => twice],
  ["lost", ({ lost }) => lost],
  ["told", ({ told, lostUsersReading }) => (lostUsersReading === 0 ? null : `${told}/${lostUsersReading}`)],
  ["stale", ({ stale, notMonotonic }) => stale + notMonotonic],
  ["two writers", ({ sharedEpochs }) => sharedEpochs],
  ["fenced", ({ fenced }) => fenced],
  ["moves", ({ moves }) => moves],
  ["detected", ({ detectedMs }) => detectedMs],
  ["decided", ({ decidedMs }) => decidedMs],
  ["raised", ({ raisedMs }) => raisedMs],
  ["first write", ({ firstWriteMs }) => firstWriteMs],
  ["longest write", ({ longestWriteMs }) => longestWriteMs],
  ["machine late", ({ lateMs }) => lateMs],
];

/** In Markdown, a line for each scenario. */
export function renderResults(results: readonly ScenarioResult[]): string {
  return [
    row(["scenario", ...COLUMNS.map(([heading]) => heading)]),
    row(["", ...COLUMNS].map((_, index) => (index === 0 ? "---" : "---:"))),
    ...results.map(({ name, figures }) => row([name, ...COLUMNS.map(([, cell]) => cell(figures))])),
  ].join("\n");
}

function row(cells: readonly unknown[]): string {
  return `| ${cells.map((cell) => cell ?? "-").join(" | ")} |`;
}
