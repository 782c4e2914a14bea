import type { Finding } from "./checker.ts";
import type { Operation } from "./history.ts";

/** What one phase of a run came to, or a whole run. */
export interface Row {
  readonly phase: string;
  readonly reads: number;
  readonly writes: number;
  readonly failed: number;
  readonly stale: number;
  readonly staleDeclared: number;
  readonly notMonotonic: number;
  readonly notMonotonicDeclared: number;
  readonly executedTwice: number;
  readonly errorsAfterCommit: number;
  readonly headsUnrecorded: number;
  /** Of the reads, in percent. */
  readonly byWriter: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export function rowsOf(operations: readonly Operation[], findings: readonly Finding[]): readonly Row[] {
  const phases = [...new Set(operations.map(({ phase }) => phase))].sort();
  const inPhase = (phase: string) =>
    rowOf(
      phase,
      operations.filter((operation) => operation.phase === phase),
      findings.filter(({ operation }) => operation.phase === phase),
    );
  return [...phases.map(inPhase), rowOf("all", operations, findings)];
}

function rowOf(phase: string, operations: readonly Operation[], findings: readonly Finding[]): Row {
  const reads = operations.filter(({ kind, status }) => kind === "read" && status === 200);
  const times = reads
    .map(({ headMs, sentMs }) => (headMs ?? sentMs) - sentMs)
    .sort((one, other) => one - other);
  const count = (kind: Finding["kind"], declared = false) =>
    findings.filter((finding) => finding.kind === kind && (finding.pardon !== null) === declared).length;
  return {
    phase,
    reads: reads.length,
    writes: operations.filter(({ kind, status }) => kind === "write" && status === 200).length,
    failed: operations.filter(({ status, cut }) => status !== 200 && cut === null).length,
    stale: count("stale"),
    staleDeclared: count("stale", true),
    notMonotonic: count("not-monotonic"),
    notMonotonicDeclared: count("not-monotonic", true),
    executedTwice: count("executed-twice"),
    errorsAfterCommit: count("error-after-commit"),
    headsUnrecorded: count("head-unrecorded"),
    byWriter: Math.round(
      (100 * reads.filter(({ region }) => region === "us-east").length) / (reads.length || 1),
    ),
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  };
}

function quantile(sorted: readonly number[], share: number): number {
  return Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
}

const COLUMNS: readonly (readonly [heading: string, key: keyof Row])[] = [
  ["phase", "phase"],
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
  ["writer %", "byWriter"],
  ["p50", "p50Ms"],
  ["p99", "p99Ms"],
];

export function renderRows(rows: readonly Row[]): string {
  const lines = [
    COLUMNS.map(([heading]) => heading),
    ...rows.map((row) => COLUMNS.map(([, key]) => row[key])),
  ];
  return lines
    .map(
      ([first, ...cells]) =>
        `${String(first).padEnd(16)}${cells.map((cell) => String(cell).padStart(9)).join("")}`,
    )
    .join("\n");
}
