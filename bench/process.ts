import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** Where a process may run: subjects on a core of their own, everything else on the other. */
export interface Cores {
  readonly subject: string;
  readonly rest: string;
}

/** What a process and those that it has started have used and hold. */
export interface Usage {
  readonly processorMs: number;
  /** Proportional: pages that several of them share are counted once. */
  readonly memoryMiB: number;
}

const MS_PER_TICK = 1_000 / Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout || 100);
const STOP_WITHIN_MS = 5_000;
/** In /proc/PID/stat, counted behind the name in brackets, which may hold anything. */
const [PARENT, USER_TICKS, SYSTEM_TICKS] = [1, 11, 12];

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) endGroup(child, "SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  readonly core: string;
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A process that runs until it is stopped; what it says is in NAME.log of its directory. */
export class Running {
  readonly pid: number;
  readonly logFile: string;
  readonly #child: ChildProcess;

  constructor({ name, command, core, directory, environment = {} }: Program) {
    this.logFile = path.join(directory, `${name}.log`);
    const output = openSync(this.logFile, "w");
    const limited = `ulimit -n $(ulimit -Hn); exec taskset -c "$0" "$@"`;
    this.#child = spawn("sh", ["-c", limited, core, ...command], {
      stdio: ["ignore", output, output],
      env: { ...process.env, ...environment },
      cwd: directory,
      detached: true,
    });
    this.pid = this.#child.pid ?? 0;
    running.add(this.#child);
    this.#child.once("exit", () => running.delete(this.#child));
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  usage(): Usage {
    return usageOf(this.pid);
  }

  log(): string {
    return readFileSync(this.logFile, "utf8").slice(-2_000);
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const overdue = setTimeout(() => endGroup(this.#child, "SIGKILL"), STOP_WITHIN_MS);
    await exited;
    clearTimeout(overdue);
  }
}

/** Each has a group of its own, so that its workers end with it. */
function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // Nobody of it is left.
  }
}

/** Processor time and memory of a process and all of its descendants, as the kernel counts them. */
export function usageOf(root: number): Usage {
  const pids = descendants(root);
  const sum = (of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);
  return { processorMs: sum(processorMs), memoryMiB: sum(memoryMiB) };
}

function descendants(root: number): readonly number[] {
  const parents = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), statOf(Number(name))?.[PARENT] ?? -1]),
  );
  const found = [root];
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child);
  return found;
}

function processorMs(pid: number): number {
  const fields = statOf(pid);
  return ((fields?.[USER_TICKS] ?? 0) + (fields?.[SYSTEM_TICKS] ?? 0)) * MS_PER_TICK;
}

/** NaN where a field is no number; null when the process is gone. */
function statOf(pid: number): readonly number[] | null {
  const text = read(`/proc/${pid}/stat`);
  return text === null ? null : parseStat(text);
}

/** The fields behind the name: `[0]` is the state, `[1]` the parent. */
export function parseStat(text: string): readonly number[] {
  return text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
}

function memoryMiB(pid: number): number {
  const text = read(`/proc/${pid}/smaps_rollup`) ?? "";
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1_024;
}

function read(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
