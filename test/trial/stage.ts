// Starts and stops what a trial needs: three applications, nginx and Redis from the system, and edges.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export class Stage {
  readonly #children: ChildProcess[] = [];
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), "meridian-trial-")));
  }

  /** A file of this run, deleted with it. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  app(file: string, ...args: (string | number)[]): ChildProcess {
    return this.#start(process.execPath, [here(file), ...args.map(String)], {});
  }

  edge(config: string, env: Record<string, string>): ChildProcess {
    return this.#start(process.execPath, [here("../../src/main.ts"), "serve", "-c", here(config)], env);
  }

  redis(port: number): ChildProcess {
    const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    return this.#start("redis-server", settings, {});
  }

  /** nginx takes absolute paths only, so its configuration is written for the folder of this run. */
  async nginx(port: number, replica: number): Promise<ChildProcess> {
    const folder = join(this.#folder, "nginx");
    await mkdir(folder, { mode: 0o777 });
    const values: Record<string, string> = {
      DIR: folder,
      SITE: here("site").replace(/\/$/, ""),
      PORT: String(port),
      REPLICA: String(replica),
    };
    const template = await readFile(here("assets.conf.in"), "utf8");
    const text = template.replace(/@(DIR|SITE|PORT|REPLICA)@/g, (whole, name) => values[name] ?? whole);
    await writeFile(join(folder, "nginx.conf"), text);
    return this.#start("nginx", ["-c", join(folder, "nginx.conf")], {});
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map((child) => stop(child)));
    await rm(this.#folder, { recursive: true, force: true });
  }

  #start(command: string, args: readonly string[], env: Record<string, string>): ChildProcess {
    const child = spawn(command, args, {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ...env },
    });
    child.once("error", (error) => process.stderr.write(`${command}: ${error.message}\n`));
    this.#children.push(child);
    return child;
  }
}

/** Ends one child, and waits for it; a child that will not end in time is killed. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((done) => child.once("exit", () => done()));
  child.kill(signal);
  const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await gone;
  clearTimeout(late);
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((done) =>
          server.once("listening", () => {
            const address = server.address();
            done(typeof address === "object" && address ? address.port : 0);
          }),
        ),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

export async function until(what: string, ready: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + 20_000; performance.now() < deadline; ) {
    if (await ready().catch(() => false)) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${what} did not come up within 20 s`);
}
