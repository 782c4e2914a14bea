import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";

/**
 * Runs the tests: `node scripts/run-tests.ts [WORD]...` runs the files whose path has one of the words, all
 * of them without a word. Most tests wait for sockets, so two files at a time fit one core.
 */
const TEST_TIMEOUT_MS = 180_000;
/** A test that fails before its clean-up leaves sockets open, and its file would never end. */
const RUN_TIMEOUT_MS = 900_000;

const words = process.argv.slice(2);
const wanted = (file: string) => words.length === 0 || words.some((word) => file.includes(word));
const files = globSync("test/**/*.test.ts").filter(wanted).sort();
if (files.length === 0) {
  process.stderr.write(`no test file's path has one of: ${words.join(" ")}\n`);
  process.exit(1);
}

const concurrency = Math.max(2, availableParallelism());
const { status } = spawnSync(
  process.execPath,
  [
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    // Where nobody waits, a socket that a test has leaked must not hold up the run. Elsewhere it should be noticed;
    // and forced, a failing file may lose the end of its report.
    ...(process.env.CI === undefined ? [] : ["--test-force-exit"]),
    ...files,
  ],
  { stdio: "inherit", timeout: RUN_TIMEOUT_MS },
);
process.exitCode = status ?? 1;
