import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { playMachines, playMutants } from "./failover/machine/series.ts";
import { playScenario, type ScenarioResult } from "./failover/run.ts";
import { SCENARIOS } from "./failover/scenarios.ts";
import { renderResults } from "./failover/table.ts";

const USAGE = `npm run failover -- [--seed N] [--scenario NAME]... [--json FILE] [--out DIR] [--keep]
npm run failover -- --machine RUNS [--seed N]
npm run failover -- --mutants [--seed N]

Three edges, a redis-server, regions with databases of their own and the hook that promotes them, each a process; 300
requests a second, a third of them writes; and the write region moves or is lost in every way that we could think of.
Prints a table in Markdown; ends with status 1 when a promise was broken, and then (with --keep always) leaves what was seen in DIR.
With --machine the state machine of a move alone, over a real Redis: edges that die at each call that they wait for, a Redis
that forgets, hooks that fail; with --mutants machines with one mistake each, and status 1 when one of them is not caught.
Scenarios: ${SCENARIOS.map(({ name }) => name).join(", ")}.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Date.now() % 100_000) },
      scenario: { type: "string", multiple: true },
      json: { type: "string" },
      out: { type: "string", default: "failover-out" },
      machine: { type: "string" },
      mutants: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const wanted = SCENARIOS.filter(({ name }) => values.scenario?.includes(name) ?? true);
  if (values.help || wanted.length === 0) return void process.stdout.write(USAGE);
  const seed = Number(values.seed);
  if (values.machine !== undefined || values.mutants) {
    const runs = Number(values.machine ?? 0);
    const isKept = values.mutants ? await playMutants(seed, print) : await playMachines(seed, runs, print);
    process.exitCode = isKept ? 0 : 1;
    return;
  }
  const results: ScenarioResult[] = [];
  for (const scenario of wanted) {
    const result = await playScenario(scenario, seed);
    results.push(result);
    await conclude(result, values);
  }
  process.stdout.write(`seed ${seed}\n\n${renderResults(results)}\n`);
  if (values.json !== undefined) await writeFile(values.json, asJson(seed, results));
  if (results.some(({ broken }) => broken.length > 0)) process.exitCode = 1;
}

/** Says on standard error how it went, for standard output is the table's. */
async function conclude(
  result: ScenarioResult,
  { out, keep }: { out: string; keep: boolean },
): Promise<void> {
  const { name, seconds, failures, broken, answers } = result;
  const failed = Object.entries(failures).map(([kind, count]) => `${count} ${kind}`);
  const said = [`${name}: ${seconds} s`, ...failed, ...broken.map((what) => `BROKEN: ${what}`)];
  process.stderr.write(`${said.join("; ")}\n`);
  if (broken.length === 0 && !keep) return;
  for (const { status, body } of answers)
    process.stderr.write(`  answered ${status}: ${body.slice(0, 300)}\n`);
  const file = path.join(out, `${name}.json`);
  await mkdir(out, { recursive: true });
  await writeFile(file, `${JSON.stringify(result, null, 1)}\n`);
  process.stderr.write(`  all that was seen is in ${file}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function asJson(seed: number, results: readonly ScenarioResult[]): string {
  const scenarios = results.map(({ name, seconds, figures, failures, broken }) => ({
    ...{ name, seconds, figures, failures, broken },
  }));
  return `${JSON.stringify({ seed, scenarios }, null, 2)}\n`;
}

await main();
