import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Mode, violations } from "./chaos/checker.ts";
import { FAULTS } from "./chaos/faults.ts";
import { asNdjson, type Operation } from "./chaos/history.ts";
import { playMutants } from "./chaos/mutation.ts";
import { renderRows, rowsOf } from "./chaos/report.ts";
import { type ChaosResult, runChaos } from "./chaos/run.ts";

const MODES: readonly Mode[] = ["strict", "bounded", "cookie", "off"];
const USAGE = `npm run chaos -- [--seed N] [--seconds 60] [--mode ${MODES.join("|")}] [--fault NAME]... [--users 60] [--calm-seconds 8] [--out DIR]
npm run chaos -- --mutants [--seed N] [--seconds 15]

Three edges, a redis-server and lagging regions, each a process; users who look at what they write; one fault after the
other, in an order that the seed repeats. Ends with status 1 when a promise was broken, and then leaves the history in DIR.
With --mutants it plays wrong builds of the pins instead, and ends with status 1 when one of them was not caught.
Faults: ${FAULTS.map(({ name }) => name).join(", ")}, none.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Date.now() % 100_000) },
      seconds: { type: "string" },
      mode: { type: "string", default: "strict" },
      fault: { type: "string", multiple: true },
      users: { type: "string", default: "60" },
      "calm-seconds": { type: "string", default: "8" },
      out: { type: "string", default: "chaos-out" },
      mutants: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const mode = MODES.find((known) => known === values.mode);
  if (values.help || mode === undefined) return void process.stdout.write(USAGE);
  const seed = Number(values.seed);
  const seconds = Number(values.seconds ?? (values.mutants ? 15 : 60));
  if (values.mutants) {
    process.exitCode = (await playMutants(seed, seconds, print)) ? 0 : 1;
    return;
  }
  print(`seed ${seed}, ${seconds} s, ${mode}`);
  const wanted = FAULTS.filter(({ name }) => values.fault?.includes(name) ?? true);
  const traffic = { users: Number(values.users) };
  const calmMs = Number(values["calm-seconds"]) * 1_000;
  const result = await runChaos({ seed, seconds, mode, faults: wanted, traffic, calmMs, say: print });
  await conclude(result, path.join(values.out, `${mode}-${seed}.ndjson`));
}

async function conclude({ history, findings }: ChaosResult, file: string): Promise<void> {
  print(renderRows(rowsOf(history.operations, findings)));
  print(`failed: ${failures(history.operations)}`);
  const broken = violations(findings);
  if (broken.length === 0) return;
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, asNdjson(history));
  for (const finding of broken.slice(0, 5)) print(JSON.stringify(finding));
  print(`${broken.length} promises broken; the history is in ${file}`);
  process.exitCode = 1;
}

/** Requests that were not served and that nobody meant to lose, by what became of them. */
function failures(operations: readonly Operation[]): string {
  const failed = operations.filter(({ status, cut }) => status !== 200 && cut === null);
  const kinds = Map.groupBy(failed, ({ kind, status, fault }) => `${kind} ${fault ?? status}`);
  return [...kinds].map(([kind, { length }]) => `${kind} ${length}`).join(", ") || "none";
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
