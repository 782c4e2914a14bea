import { type ChildProcess, spawn } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * Runs the tests: `node scripts/run-tests.ts [WORD]...` runs the files whose path has one of the words, all of them
 * without a word; each as a process of its own. Most tests wait for sockets, so three at a time fit two cores.
 *
 * They are also each other's noise. A file that fails is run once more by itself: what fails then too has
 * failed, and what does not is named, for it should be mended.
 */
const TEST_TIMEOUT_MS = 120_000;
/** A test that leaves a socket or a timer open keeps its file from ever ending; by itself such a file is ended by force. */
const FILE_TIMEOUT_MS = 150_000;
/** More files than these are no noise. */
const MOST_REPEATED = 8;

interface Result {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  /** Why it has failed though none of its tests has; null when it has not. */
  readonly flaw: string | null;
}

const words = process.argv.slice(2);
const wanted = (file: string) => words.length === 0 || words.some((word) => file.includes(word));
const files = globSync("test/**/*.test.ts").filter(wanted).sort();
if (files.length === 0) {
  process.stderr.write(`no test file's path has one of: ${words.join(" ")}\n`);
  process.exit(1);
}

const running = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(1);
  });

const first = await runFiles(files, availableParallelism() + 1, []);
const failures = first.filter(isFailed).map(({ file }) => file);
const again =
  failures.length <= MOST_REPEATED && files.length > 1
    ? await runFiles(failures, 1, ["--test-force-exit"])
    : [];
const results = first.map((result) => again.find(({ file }) => file === result.file) ?? result);
const failed = results.filter(isFailed);
const unsteady = failures.filter((file) => !failed.some((result) => result.file === file));
if (unsteady.length > 0) say(`passed only when run alone: ${unsteady.join(", ")}`);
for (const { file, flaw, failed: count } of failed) say(`FAILED ${file}: ${flaw ?? `${count} tests`}`);
say(
  `${sum(results.map(({ passed }) => passed))} passed, ${sum(failed.map((each) => Math.max(each.failed, 1)))} failed`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runFiles(
  these: readonly string[],
  concurrency: number,
  options: readonly string[],
): Promise<readonly Result[]> {
  const left = [...these];
  const results: Result[] = [];
  const work = async (): Promise<void> => {
    for (let file = left.shift(); file !== undefined; file = left.shift())
      results.push(await runFile(file, options));
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}

/** Its report is printed when it is complete, so that two do not mix. */
function runFile(file: string, more: readonly string[]): Promise<Result> {
  const options = ["--test-reporter=spec", `--test-timeout=${TEST_TIMEOUT_MS}`, ...more];
  // A group of its own, so that what a test has started ends with it, and keeps no pipe open.
  const child = spawn(process.execPath, [...options, file], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let report = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      report += text;
    });
  let flaw: string | null = null;
  const overdue = setTimeout(() => {
    flaw = `not over after ${FILE_TIMEOUT_MS / 1_000} s`;
    endGroup(child);
  }, FILE_TIMEOUT_MS);
  return new Promise((resolve) => {
    child.once("exit", () => {
      clearTimeout(overdue);
      endGroup(child);
    });
    child.once("close", (status) => {
      running.delete(child);
      process.stdout.write(`${file}\n${report}`);
      const [passed, counted] = [countOf("pass", report), countOf("fail", report)];
      const crashed = status !== 0 && counted === 0 ? `its process ended with ${status}` : null;
      resolve({ file, passed, failed: counted, flaw: flaw ?? crashed });
    });
  });
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of it is left.
  }
}

function isFailed({ failed, flaw }: Result): boolean {
  return failed > 0 || flaw !== null;
}

function countOf(word: string, report: string): number {
  return Number(new RegExp(`^ℹ ${word} (\\d+)$`, "m").exec(report)?.[1] ?? 0);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
