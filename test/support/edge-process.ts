import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse, stringify } from "yaml";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

const MAIN = path.join(import.meta.dirname, "../../src/main.ts");
const START_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 30_000;

/** `meridian serve` as a process of its own. */
export interface EdgeProcess {
  readonly httpUrl: string;
  readonly adminUrl: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** The file it reads; change it, then send HUP. */
  readonly configFile: string;
  /** Everything written to standard output and standard error so far. */
  logs(): string;
  /** TERM, and its exit status; null when a signal ended it. */
  stop(): Promise<number | null>;
  /** Without a chance to clean up. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Resolves when the edge is ready. The configuration's ports are replaced by free ones unless it names others than 0. */
export async function startEdgeProcess(
  configYaml: string,
  {
    environment = {},
    logFile,
    nodeOptions = [],
    descriptors = null,
  }: {
    environment?: Record<string, string>;
    logFile?: number;
    nodeOptions?: readonly string[];
    /** How many it may have; null: as many as this process. */
    descriptors?: number | null;
  } = {},
): Promise<EdgeProcess> {
  const directory = await mkdtemp(path.join(tmpdir(), "meridian-edge-"));
  const configFile = path.join(directory, "meridian.yaml");
  const { yaml, httpUrl, adminUrl } = await withPorts(configYaml);
  await writeFile(configFile, yaml);
  const output = logFile ?? "pipe";
  const command = [process.execPath, ...nodeOptions, MAIN, "serve", "-c", configFile];
  const limited = descriptors === null ? "" : `ulimit -n ${descriptors} && `;
  const child = spawn("sh", ["-c", `${limited}exec "$@"`, "sh", ...command], {
    stdio: ["ignore", output, output],
    env: { ...process.env, ...environment },
  });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => chunks.push(text));
  }
  const logs = () => chunks.join("");
  child.once("exit", () => void rm(directory, { recursive: true, force: true }));
  await untilReady(child, adminUrl, logs);
  return {
    httpUrl,
    adminUrl,
    pid: child.pid ?? 0,
    child,
    configFile,
    logs,
    stop: () => stop(child),
    kill: (signal = "SIGKILL") => end(child, signal),
  };
}

async function withPorts(configYaml: string) {
  const config = parse(configYaml);
  config.listen ??= {};
  config.listen.http ??= {};
  config.admin ??= {};
  config.listen.http.port ||= await freePort();
  config.admin.port ||= await freePort();
  return {
    yaml: stringify(config),
    httpUrl: `http://127.0.0.1:${config.listen.http.port}`,
    adminUrl: `http://127.0.0.1:${config.admin.port}`,
  };
}

async function untilReady(child: ChildProcess, adminUrl: string, logs: () => string): Promise<void> {
  try {
    await eventually(async () => child.exitCode !== null || (await fetch(`${adminUrl}/readyz`)).ok, {
      withinMs: START_WITHIN_MS,
    });
    if (child.exitCode !== null) throw new Error(`the edge ended with status ${child.exitCode}`);
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`the edge did not become ready\n${logs()}`, { cause: error });
  }
}

async function stop(child: ChildProcess): Promise<number | null> {
  const overdue = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
  await end(child, "SIGTERM");
  clearTimeout(overdue);
  return child.exitCode;
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}
