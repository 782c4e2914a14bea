import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { Mode } from "./chaos/checker.ts";
import { FAULTS } from "./chaos/faults.ts";
import { playMutants } from "./chaos/mutation.ts";
import { playSeries } from "./chaos/series.ts";

const MODES: readonly Mode[] = ["strict", "bounded", "cookie", "off"];
const USAGE = `npm run chaos -- [--seed N] [--seeds 1] [--seconds 60] [--mode ${MODES.join("|")}]... [--fault NAME]... [--baseline]
                 [--users 60] [--calm-seconds 8] [--out DIR] [--json FILE]
npm run chaos -- --mutants [--build WORDS]... [--seed N] [--seconds 15]

Three edges, a redis-server and lagging regions, each a process; users who look at what they write; one fault after the
other, in an order that the seed repeats. Ends with status 1 when a promise was broken, and then leaves the history in DIR.
With --seeds it plays N, N+1, ... one after the other and adds them up; with --baseline three edges in mode off beside it,
and says what the mode adds to them; with --mutants wrong builds of the pins instead, and ends with status 1 when one of
them was not caught.
Faults: ${FAULTS.map(({ name }) => name).join(", ")}, none.
`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: String(Date.now() % 100_000) },
      seeds: { type: "string", default: "1" },
      seconds: { type: "string" },
      mode: { type: "string", multiple: true, default: ["strict"] },
      fault: { type: "string", multiple: true },
      users: { type: "string", default: "60" },
      "calm-seconds": { type: "string", default: "8" },
      baseline: { type: "boolean", default: false },
      out: { type: "string", default: "chaos-out" },
      json: { type: "string" },
      build: { type: "string", multiple: true, default: [] },
      mutants: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const modes = MODES.filter((known) => values.mode.includes(known));
  if (values.help || modes.length === 0) return void process.stdout.write(USAGE);
  const seed = Number(values.seed);
  const seconds = Number(values.seconds ?? (values.mutants ? 15 : 60));
  if (values.mutants) {
    process.exitCode = (await playMutants({ seed, seconds, builds: values.build, say: print })) ? 0 : 1;
    return;
  }
  const figures = await playSeries({
    ...{ seed, seconds, modes, seeds: Number(values.seeds), baseline: values.baseline, out: values.out },
    faults: FAULTS.filter(({ name }) => values.fault?.includes(name) ?? true),
    traffic: { users: Number(values.users) },
    calmMs: Number(values["calm-seconds"]) * 1_000,
    say: print,
  });
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  if (figures.runs.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
