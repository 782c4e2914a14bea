import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { forMarkdown, forTerminal, resultOf, tablesOf } from "./report.ts";
import { type Entrant, enter, orderOf, playRound, type Shape, warmUp } from "./rounds.ts";
import { setStage } from "./stage.ts";
import { isInstalled, lacking, SUBJECTS, type Subject } from "./subjects.ts";

const USAGE = `npm run bench -- [--quick] [--subjects a,b] [--rounds N] [--seconds N] [--json FILE] [--markdown FILE]
`;
const ROOT = path.join(import.meta.dirname, "..");

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      subjects: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      connections: { type: "string", default: "64" },
      port: { type: "string", default: "21000" },
      "no-build": { type: "boolean", default: false },
      json: { type: "string" },
      markdown: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return say(USAGE);
  prepare(!values["no-build"]);
  const shape: Shape = {
    path: "/",
    connections: Number(values.connections),
    seconds: Number(values.seconds ?? (values.quick ? 2 : 4)),
    warmUpSeconds: 5,
    users: 10_000,
    writePercent: 5,
    headers: [],
  };
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  const subjects = chosen(values.subjects);
  const cores = availableParallelism() > 1 ? { subject: "0", rest: "1" } : { subject: "0", rest: "0" };
  spawnSync("taskset", ["-pc", cores.rest, `${process.pid}`]);
  const stage = await setStage(Number(values.port), cores, isInstalled("redis-server"));
  const entrants: Entrant[] = [];
  try {
    for (const subject of subjects) entrants.push(await enter(subject, stage));
    for (const entrant of entrants) await warmUp(entrant, shape);
    for (let round = 0; round < rounds; round += 1)
      for (const entrant of orderOf(entrants, round)) {
        const done = await playRound(entrant, stage, shape);
        say(
          `${round + 1} ${entrant.subject.name.padEnd(20)} ${done === null ? "void" : done.requestsPerSecond.toFixed(0)}\n`,
        );
      }
  } finally {
    await Promise.all(entrants.map(({ running }) => running.stop()));
    await stage.stop();
  }
  const results = entrants.map(resultOf);
  for (const table of tablesOf(results)) say(`\n${forTerminal(table)}`);
  for (const flaw of entrants.flatMap(({ flaws }) => flaws)) say(`void: ${flaw}\n`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ shape, results }, null, 2)}\n`);
  if (values.markdown !== undefined)
    writeFileSync(values.markdown, tablesOf(results).map(forMarkdown).join("\n"));
}

/** Compiles the edge, and installs the peers that are npm packages. */
function prepare(builds: boolean): void {
  if (builds) spawnSync(process.execPath, ["scripts/build.ts"], { cwd: ROOT, stdio: "inherit" });
  if (!existsSync(path.join(import.meta.dirname, "node_modules")))
    spawnSync("npm", ["ci", "--ignore-scripts", "--silent", "--no-audit"], {
      cwd: import.meta.dirname,
      stdio: "inherit",
    });
}

function chosen(names: string | undefined): readonly Subject[] {
  const wanted = names?.split(",") ?? SUBJECTS.map(({ name }) => name);
  return wanted.flatMap((name) => {
    const subject = SUBJECTS.find((each) => each.name === name);
    if (subject === undefined)
      throw new Error(`no subject ${name}; there are ${SUBJECTS.map((each) => each.name).join(", ")}`);
    const missing = lacking(subject);
    if (missing.length > 0) say(`skipped ${name}: needs ${missing.join(", ")}\n`);
    return missing.length > 0 ? [] : [subject];
  });
}

function say(text: string): void {
  process.stdout.write(text);
}

await main();
