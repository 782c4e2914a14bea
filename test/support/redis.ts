import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { freePort } from "./ports.ts";

/** A memory older than any intent. */
const AGED_MS = 3_600_000;

/** None outlives the test's process, whatever becomes of it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A redis-server of a test's own, on a free port of the loopback, that keeps nothing on disk. */
export class RedisServer {
  readonly port: number;
  readonly #args: readonly string[];
  #child: ChildProcess;

  constructor(port: number, args: readonly string[], child: ChildProcess) {
    this.port = port;
    this.#args = args;
    this.#child = child;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Freezes the process; its sockets still accept and acknowledge. */
  pause(): void {
    this.#child.kill("SIGSTOP");
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  /** Comes back on the same port, with nothing in it. */
  async restart(): Promise<void> {
    await this.kill();
    this.#child = await launch(this.#args);
  }

  /** Makes this Redis one that has long held what it was told, so that no edge doubts it. */
  async age(markKey = "meridian:born"): Promise<void> {
    const run = /run_id:(\w+)/.exec(await this.command("INFO server"))?.[1] ?? "";
    await this.command(`SET ${markKey} "${Date.now() - AGED_MS} ${run}"`);
  }

  stop(): Promise<void> {
    return this.kill();
  }

  async flush(): Promise<void> {
    await this.command("FLUSHALL");
  }

  /** Sends one inline command over a connection of its own; the raw answer. */
  async command(line: string): Promise<string> {
    const socket = connect(this.port, "127.0.0.1");
    socket.end(`${line}\r\nQUIT\r\n`);
    let answer = "";
    for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
    return answer.replace(/\+OK\r\n$/, "");
  }

  /** How often each command has run, inside scripts too, since the last `CONFIG RESETSTAT`. */
  async commandCounts(): Promise<ReadonlyMap<string, number>> {
    const stats = await this.command("INFO commandstats");
    const lines = stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g);
    return new Map([...lines].map(([, name = "", calls]) => [name, Number(calls)]));
  }
}

/**
 * Starts a redis-server; resolves when it accepts connections. The caller stops it. A new one is in quarantine
 * for an intent's time, unless it is `aged`: then an edge takes it for one that was always there.
 */
export async function startRedis({
  aged = false,
  options = [],
}: {
  aged?: boolean;
  options?: readonly string[];
} = {}): Promise<RedisServer> {
  const port = await freePort();
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...options];
  const server = new RedisServer(port, args, await launch(args));
  if (aged) await server.age();
  return server;
}

/** A Sentinel, whose configuration file it rewrites itself. Resolves when it accepts connections. */
export async function startSentinelProcess(port: number, configFile: string): Promise<RedisServer> {
  const args = [configFile, "--sentinel"];
  return new RedisServer(port, args, await launch(args, "+monitor"));
}

async function launch(
  args: readonly string[],
  readyWords = "Ready to accept connections",
): Promise<ChildProcess> {
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  running.add(child);
  child.once("exit", () => running.delete(child));
  const failed = once(child, "exit").then(() => {
    throw new Error(`redis-server did not start: ${args.join(" ")}`);
  });
  await Promise.race([said(child, readyWords), failed]);
  failed.catch(() => {});
  return child;
}

async function said(child: ChildProcess, words: string): Promise<void> {
  if (child.stdout === null) throw new Error("redis-server has no output");
  for await (const line of createInterface(child.stdout)) if (line.includes(words)) break;
  child.stdout.resume();
}
