import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { merged, type Section } from "./document.ts";
import { GROWTH_TITLES, measureGrowth } from "./growth.ts";
import { machine, today } from "./machine.ts";
import { type Options, parseOptions, USAGE } from "./options.ts";
import type { Cores } from "./process.ts";
import { forTerminal, tablesOf } from "./report.ts";
import { type Played, playShape } from "./session.ts";
import { SHAPE_TITLES, shapeOf } from "./shapes.ts";
import { setStage } from "./stage.ts";
import { isInstalled, lacking, MORE_SUBJECTS, SUBJECTS, type Subject } from "./subjects.ts";

const ROOT = path.join(import.meta.dirname, "..");
/** Without these nothing can be measured. */
const NEEDED = ["nginx", "wrk", "openssl", "taskset"];

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === "number") return options;
  const missing = NEEDED.filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    say(
      `nothing can be measured without ${missing.join(", ")}; on Debian: apt-get install nginx-light wrk openssl util-linux\n`,
    );
    return 1;
  }
  prepare(options.builds);
  const cores = availableParallelism() > 1 ? { subject: "0", rest: "1" } : { subject: "0", rest: "0" };
  spawnSync("taskset", ["-pc", cores.rest, `${process.pid}`]);
  const played = options.growth ? [] : await playAll(options, cores);
  const growth = options.growth || options.full ? await measureGrowth(options, cores, say) : [];
  report(options, played, growth);
  return played.every(({ flaws }) => flaws.length === 0) ? 0 : 1;
}

function readOptions(): Options | number {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options === null) say(USAGE);
    return options ?? 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
}

/** Compiles the edge, and installs the peers that are npm packages. */
function prepare(builds: boolean): void {
  if (
    builds &&
    spawnSync(process.execPath, ["scripts/build.ts"], { cwd: ROOT, stdio: "inherit" }).status !== 0
  )
    throw new Error("the build has failed");
  if (existsSync(path.join(import.meta.dirname, "node_modules"))) return;
  const install = ["ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund"];
  spawnSync("npm", install, { cwd: import.meta.dirname, stdio: "inherit" });
}

async function playAll(options: Options, cores: Cores): Promise<readonly Played[]> {
  const subjects = chosen(options.subjects);
  const played: Played[] = [];
  for (const name of options.shapes) {
    const shape = shapeOf(name, options);
    if (shape.tool === "h2load" && !isInstalled("h2load")) {
      say(`skipped shape ${name}: needs h2load (nghttp2-client)\n`);
      continue;
    }
    const stage = await setStage(options.port, cores, isInstalled("redis-server"));
    try {
      played.push(await playShape(stage, subjects, shape, options.rounds, say));
    } finally {
      await stage.stop();
    }
  }
  return played;
}

function chosen(names: readonly string[]): readonly Subject[] {
  const all = [...SUBJECTS, ...MORE_SUBJECTS];
  return names.flatMap((name) => {
    const subject = all.find((each) => each.name === name);
    if (subject === undefined)
      throw new Error(`no subject ${name}; there are ${all.map((each) => each.name).join(", ")}`);
    const missing = lacking(subject);
    if (missing.length > 0) say(`skipped ${name}: needs ${missing.join(", ")}\n`);
    return missing.length > 0 ? [] : [subject];
  });
}

function report(options: Options, played: readonly Played[], growth: readonly Section[]): void {
  const { json, markdown } = options;
  const where = machine();
  const sections = [...played.map((each) => sectionOf(each, options)), ...growth];
  for (const { title, tables } of sections)
    say(`\n${title}\n${tables.map((table) => `\n${forTerminal(table)}`).join("")}`);
  for (const flaw of played.flatMap(({ flaws }) => flaws)) say(`void: ${flaw}\n`);
  if (json !== null) writeFileSync(json, `${JSON.stringify({ machine: where, played, growth }, null, 2)}\n`);
  if (markdown === null) return;
  const before = existsSync(markdown) ? readFileSync(markdown, "utf8") : "";
  const machineLine = `Measured on ${where.join("; ")}.`;
  writeFileSync(markdown, merged(before, machineLine, sections, [...SHAPE_TITLES, ...GROWTH_TITLES]));
}

function sectionOf({ shape, unable, results }: Played, { rounds }: Options): Section {
  const times = `${rounds} ${rounds === 1 ? "round" : "rounds"} of ${shape.seconds} s`;
  const atOnce = `${shape.connections} ${shape.tool === "h2load" ? "streams" : "connections"}`;
  const without = unable.length === 0 ? "" : ` Cannot do it: ${unable.join(", ")}.`;
  return {
    title: shape.title,
    how: `${today()}, ${times}, ${atOnce}.${without}`,
    tables: tablesOf(results),
  };
}

function say(text: string): void {
  process.stdout.write(text);
}

process.exitCode = await main();
