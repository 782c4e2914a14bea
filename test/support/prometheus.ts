import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { request } from "undici";
import { stringify } from "yaml";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

const DEPLOYED = path.join(import.meta.dirname, "../../deploy/prometheus");

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A series and its values: one of now, or one for each step. */
export interface Found {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [atSeconds: number, value: string];
  readonly values?: readonly (readonly [atSeconds: number, value: string])[];
}

/** A real Prometheus on a free port, which scrapes these edges each second and evaluates the deployed rules. */
export class PrometheusServer {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(url: string, child: ChildProcess, directory: string) {
    this.url = url;
    this.#child = child;
    this.#directory = directory;
  }

  static async start(edges: Readonly<Record<string, string>>): Promise<PrometheusServer> {
    const directory = await mkdtemp(path.join(tmpdir(), "meridian-prometheus-"));
    const address = `127.0.0.1:${await freePort()}`;
    const file = path.join(directory, "prometheus.yaml");
    await writeFile(file, stringify(configOf(edges)));
    const options = [`--config.file=${file}`, `--storage.tsdb.path=${directory}/data`];
    const child = spawn("prometheus", [...options, `--web.listen-address=${address}`, "--log.level=error"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const url = `http://${address}`;
    await eventually(async () => (await fetch(`${url}/-/ready`)).ok, { withinMs: 20_000 });
    return new PrometheusServer(url, child, directory);
  }

  query(expr: string): Promise<readonly Found[]> {
    return this.#ask("query", { query: expr });
  }

  queryRange(expr: string, fromMs: number, toMs: number, stepSeconds: number): Promise<readonly Found[]> {
    const [start, end] = [fromMs, toMs].map((ms) => `${ms / 1_000}`);
    return this.#ask("query_range", { query: expr, start, end, step: `${stepSeconds}` });
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await eventually(() => !running.has(this.#child));
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #ask(what: string, parameters: Record<string, string | undefined>): Promise<readonly Found[]> {
    const body = new URLSearchParams(parameters as Record<string, string>).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await request(`${this.url}/api/v1/${what}`, { method: "POST", headers, body });
    const said = (await answer.body.json()) as { data?: { result: readonly Found[] }; error?: string };
    if (said.data === undefined) throw new Error(`${said.error}: ${parameters.query}`);
    return said.data.result;
  }
}

function configOf(edges: Readonly<Record<string, string>>): object {
  return {
    global: { scrape_interval: "1s", scrape_timeout: "900ms", evaluation_interval: "1s" },
    rule_files: ["rules", "alerts"].map((name) => path.join(DEPLOYED, `${name}.yaml`)),
    scrape_configs: [
      {
        job_name: "meridian",
        static_configs: Object.entries(edges).map(([instance, url]) => ({
          targets: [new URL(url).host],
          labels: { instance },
        })),
      },
    ],
  };
}
