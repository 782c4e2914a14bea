import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Finding, type Mode, violations } from "./checker.ts";
import { asNdjson, type Operation } from "./history.ts";
import { addUp, type Tallies } from "./report.ts";
import { type ChaosOptions, type ChaosResult, runChaos } from "./run.ts";
import { type Row, renderRows, rowsOf } from "./table.ts";

export interface SeriesOptions extends Omit<ChaosOptions, "mode"> {
  readonly modes: readonly Mode[];
  /** This many: `seed`, the next, and so on. */
  readonly seeds: number;
  /** Where the histories of those that break a promise are left. */
  readonly out: string;
  readonly say: (line: string) => void;
}

/** One run, as the figures of a series have it. */
interface RunFigures {
  readonly mode: Mode;
  readonly seed: number;
  readonly seconds: number;
  readonly faults: readonly string[];
  readonly failed: string;
  readonly pardoned: string;
  readonly violations: readonly Finding[];
}

export interface SeriesFigures {
  readonly runs: readonly RunFigures[];
  /** By mode. */
  readonly rows: Readonly<Partial<Record<Mode, readonly Row[]>>>;
}

/** Plays each mode with each seed, one after the other; a table for each mode, with all its seeds added up. */
export async function playSeries(options: SeriesOptions): Promise<SeriesFigures> {
  const runs: RunFigures[] = [];
  const rows: Partial<Record<Mode, readonly Row[]>> = {};
  for (const mode of options.modes) {
    const tallies: Tallies[] = [];
    for (let nth = 0; nth < options.seeds; nth += 1) {
      const seed = options.seed + nth;
      options.say(`seed ${seed}, ${options.seconds} s, ${mode}`);
      const result = await runChaos({ ...options, mode, seed });
      tallies.push(result.tallies);
      runs.push(await conclude(result, { ...options, mode, seed }));
    }
    rows[mode] = rowsOf(addUp(tallies));
    options.say(`\n${mode}, ${options.seeds} × ${options.seconds} s\n${renderRows(rows[mode])}\n`);
  }
  return { runs, rows };
}

/** Says what was broken, and leaves the history of it. */
async function conclude(
  { history, findings, faultsRun }: ChaosResult,
  { mode, seed, seconds, out, say }: Omit<SeriesOptions, "modes"> & { readonly mode: Mode },
): Promise<RunFigures> {
  const [failed, pardoned] = [failures(history.operations), pardons(findings)];
  say(`failed: ${failed}; pardoned: ${pardoned}`);
  const broken = violations(findings);
  if (broken.length > 0) {
    const file = path.join(out, `${mode}-${seed}.ndjson`);
    await mkdir(out, { recursive: true });
    await writeFile(file, asNdjson(history));
    for (const finding of broken.slice(0, 5)) say(JSON.stringify(finding));
    say(`${broken.length} promises broken; the history is in ${file}`);
  }
  return { mode, seed, seconds, faults: faultsRun, failed, pardoned, violations: broken };
}

/** Requests that were not served and that nobody meant to lose, by what became of them. */
function failures(operations: readonly Operation[]): string {
  const failed = operations.filter(({ status, cut }) => status !== 200 && cut === null);
  return counted(failed.map(({ kind, status, fault }) => `${kind} ${fault ?? status}`));
}

function pardons(findings: readonly Finding[]): string {
  return counted(findings.flatMap(({ kind, pardon }) => (pardon === null ? [] : `${kind} ${pardon}`)));
}

function counted(words: readonly string[]): string {
  const kinds = Map.groupBy(words, (word) => word);
  return [...kinds].map(([kind, { length }]) => `${kind} ${length}`).join(", ") || "none";
}
