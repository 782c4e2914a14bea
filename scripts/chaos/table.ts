import { type Tallies, type Tally, total } from "./report.ts";

/** The figures of a phase, as they are printed and as `--json` has them; null where there is nothing to measure. */
export interface Row {
  readonly phase: string;
  readonly [figure: string]: string | number | null;
}

/** One for each phase, then one for all. */
export function rowsOf(tallies: Tallies): readonly Row[] {
  const phases = [...tallies].toSorted(([one], [other]) => (one < other ? -1 : 1));
  return [...phases, ["all", total(tallies)] as const].map(([phase, figures]) => rowOf(phase, figures));
}

function rowOf(phase: string, of: Tally): Row {
  const share = (part: number) => (of.readsFromAfar === 0 ? null : rounded((100 * part) / of.readsFromAfar));
  const { reads, writes, failed, stale, staleDeclared, notMonotonic, notMonotonicDeclared } = of;
  const { executedTwice, errorsAfterCommit, headsUnrecorded, homecomingsMs } = of;
  const { readMs, writeMs, baselineReadMs, baselineWriteMs } = of;
  return {
    ...{ phase, reads, writes, failed, stale, staleDeclared, notMonotonic, notMonotonicDeclared },
    ...{ executedTwice, errorsAfterCommit, headsUnrecorded },
    byWriterPercent: share(of.byWriter),
    leastPercent: share(of.bound),
    homeBehindPercent: share(of.homeBehind),
    windowPercent: share(of.inWindow),
    homeP50Ms: quantile(homecomingsMs, 0.5),
    homeP99Ms: quantile(homecomingsMs, 0.99),
    readP50Ms: quantile(readMs, 0.5),
    readP99Ms: quantile(readMs, 0.99),
    writeP50Ms: quantile(writeMs, 0.5),
    writeP99Ms: quantile(writeMs, 0.99),
    addedReadP50Ms: added(readMs, baselineReadMs, 0.5),
    addedReadP99Ms: added(readMs, baselineReadMs, 0.99),
    addedWriteP50Ms: added(writeMs, baselineWriteMs, 0.5),
    addedWriteP99Ms: added(writeMs, baselineWriteMs, 0.99),
  };
}

function added(these: readonly number[], those: readonly number[], share: number): number | null {
  const [one, other] = [quantile(these, share), quantile(those, share)];
  return one === null || other === null ? null : rounded(one - other);
}

function quantile(values: readonly number[], share: number): number | null {
  const at = values.toSorted((one, other) => one - other)[Math.floor(values.length * share)];
  return at === undefined ? null : rounded(at);
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

type Columns = readonly (readonly [heading: string, figure: string])[];

const PROMISES: Columns = [
  ["promises", "phase"],
  ["reads", "reads"],
  ["writes", "writes"],
  ["failed", "failed"],
  ["stale", "stale"],
  ["declared", "staleDeclared"],
  ["MR", "notMonotonic"],
  ["declared", "notMonotonicDeclared"],
  ["twice", "executedTwice"],
  ["err", "errorsAfterCommit"],
  ["unrec", "headsUnrecorded"],
];
const COST: Columns = [
  ["cost", "phase"],
  ["writer %", "byWriterPercent"],
  ["least %", "leastPercent"],
  ["behind %", "homeBehindPercent"],
  ["window %", "windowPercent"],
  ["home p50", "homeP50Ms"],
  ["p99", "homeP99Ms"],
  ["read p50", "readP50Ms"],
  ["p99", "readP99Ms"],
  ["write p50", "writeP50Ms"],
  ["p99", "writeP99Ms"],
];
const ADDED: Columns = [
  ["+read p50", "addedReadP50Ms"],
  ["p99", "addedReadP99Ms"],
  ["+write p50", "addedWriteP50Ms"],
  ["p99", "addedWriteP99Ms"],
];

/** Two tables: what was promised and kept, and what that cost. With what it adds to mode `off`, when that was played. */
export function renderRows(rows: readonly Row[]): string {
  const compared = rows.some(({ addedReadP50Ms }) => addedReadP50Ms !== null);
  return [PROMISES, compared ? [...COST, ...ADDED] : COST]
    .map((columns) => render(columns, rows))
    .join("\n\n");
}

function render(columns: Columns, rows: readonly Row[]): string {
  const lines = [
    columns.map(([heading]) => heading),
    ...rows.map((row) => columns.map(([, key]) => row[key])),
  ];
  return lines
    .map(
      ([first, ...cells]) =>
        `${String(first).padEnd(16)}${cells.map((cell) => String(cell ?? "-").padStart(11)).join("")}`,
    )
    .join("\n");
}
