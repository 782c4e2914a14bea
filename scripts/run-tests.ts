import { type ChildProcess, spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";

/**
 * Runs the tests: `node scripts/run-tests.ts [WORD]...` runs the files whose path has one of the words, all of them
 * without a word; each as a process of its own. Most tests wait for sockets, so three at a time fit two cores.
 * With `--slowest` it says at the end which files took longest, and how much of the processor with all they started.
 *
 * They are also each other's noise. A file that fails is run once more by itself: what fails then too has
 * failed, and what does not is named, for it should be mended.
 */
const TEST_TIMEOUT_MS = 120_000;
/** A test that leaves a socket or a timer open keeps its file from ever ending; by itself such a file is ended by force. */
const FILE_TIMEOUT_MS = 150_000;
/** More files than these are no noise. */
const MOST_REPEATED = 8;
const SLOWEST_SAID = 40;
const TICKS_PER_SECOND = 100;
/**
 * Where Node keeps what it has made of TypeScript. Half of what an edge takes of the processor to start is this work, and the tests
 * start hundreds.
 */
const COMPILED = path.join(import.meta.dirname, "../node_modules/.cache/compiled");

interface Result {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  /** Why it has failed though none of its tests has; null when it has not. */
  readonly flaw: string | null;
  readonly seconds: number;
  readonly processorSeconds: number;
}

const SLOWEST = "--slowest";
const saysSlowest = process.argv.includes(SLOWEST);
const words = process.argv.slice(2).filter((word) => word !== SLOWEST);
const wanted = (file: string) => words.length === 0 || words.some((word) => file.includes(word));
const files = globSync("test/**/*.test.ts").filter(wanted).sort();
if (files.length === 0) {
  process.stderr.write(`no test file's path has one of: ${words.join(" ")}\n`);
  process.exit(1);
}

const running = new Set<ChildProcess>();
let endedProcessorSeconds = 0;
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
if (saysSlowest) saySlowest(first);
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
  const began = performance.now();
  let processorSeconds = 0;
  const options = ["--test-reporter=spec", `--test-timeout=${TEST_TIMEOUT_MS}`, ...more];
  // A group of its own, so that what a test has started ends with it, and keeps no pipe open.
  const child = spawn(process.execPath, [...options, file], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env },
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
      processorSeconds = sinceLastEnd();
      endGroup(child);
    });
    child.once("close", (status) => {
      running.delete(child);
      process.stdout.write(`${file}\n${report}`);
      const [passed, counted] = [countOf("pass", report), countOf("fail", report)];
      const crashed = status !== 0 && counted === 0 ? `its process ended with ${status}` : null;
      const seconds = (performance.now() - began) / 1_000;
      resolve({ file, passed, failed: counted, flaw: flaw ?? crashed, seconds, processorSeconds });
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

/**
 * What the children that ended since it was last asked took of the processor: asked at each end, that of one file. 0 where there
 * is no /proc.
 */
function sinceLastEnd(): number {
  const before = endedProcessorSeconds;
  try {
    // proc(5): the 16th and 17th fields; the second one may have blanks, and ends with the last bracket.
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    endedProcessorSeconds = (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
  } catch {
    // Not Linux.
  }
  return endedProcessorSeconds - before;
}

function saySlowest(results: readonly Result[]): void {
  const slowest = results.toSorted((one, other) => other.seconds - one.seconds).slice(0, SLOWEST_SAID);
  say("seconds  of the processor");
  for (const { file, seconds, processorSeconds } of slowest)
    say(`${seconds.toFixed(1).padStart(7)}  ${processorSeconds.toFixed(1).padStart(16)}  ${file}`);
  const [all, busy] = [results.map((each) => each.seconds), results.map((each) => each.processorSeconds)];
  say(
    `${sum(all).toFixed(0).padStart(7)}  ${sum(busy).toFixed(0).padStart(16)}  all ${results.length} files`,
  );
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
