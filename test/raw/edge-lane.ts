import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { loadConfigFile, parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import type { Lane } from "./observe.ts";
import { RecordingRegion } from "./recording-region.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });

const LOOK_MS = 2;

/** The certificate of a lane that speaks HTTP/2 too, and where a file that names it can be written. */
export interface Certified {
  readonly folder: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface StartedLane extends Lane {
  /** The port for HTTP/2; that for HTTP/1 without a certificate. */
  readonly httpsPort: number;
  /** Resolves when no request is at the region any more. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** An edge in this process before one recording region. */
export async function startEdgeLane(certified: Certified | null = null): Promise<StartedLane> {
  const region = await new RecordingRegion().start();
  const edge = await startEdge({ config: await configOf(region.url, certified), log: SILENT });
  return {
    proxyPort: Number(new URL(edge.httpUrl).port),
    httpsPort: Number(new URL(edge.httpsUrl ?? edge.httpUrl).port),
    region,
    settled: async () => {
      const isIdle = (): boolean =>
        edge.table.status().every(({ requestsInFlight }) => requestsInFlight === 0);
      while (!isIdle()) await sleep(LOOK_MS);
    },
    stop: async () => {
      await edge.stop(0);
      await region.stop();
    },
  };
}

async function configOf(regionUrl: string, certified: Certified | null): Promise<Config> {
  const http = { host: "127.0.0.1", port: 0 };
  const listen =
    certified === null
      ? { http }
      : { http, https: { ...http, certFile: certified.certFile, keyFile: certified.keyFile } };
  const text = stringify({
    edge: { id: "edge-under-test" },
    listen,
    admin: { port: 0 },
    secrets: ["a-secret-that-only-tests-use"],
    regions: { main: { role: "writer", endpoints: [regionUrl] } },
    routing: { slowStart: "0ms" },
    health: { interval: "30s", timeout: "2s" },
    proxy: { responseTimeout: "3s", connectTimeout: "1s" },
    shutdown: { grace: "1s" },
    // The machine of a test is busy with the test.
    limits: { overload: { eventLoopDelay: "0ms" } },
  });
  const loaded = certified === null ? parseConfig(text, {}) : await loadIn(certified.folder, text);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

async function loadIn(folder: string, text: string): ReturnType<typeof loadConfigFile> {
  const file = join(folder, "lane.yaml");
  await writeFile(file, text);
  return loadConfigFile(file, {});
}
