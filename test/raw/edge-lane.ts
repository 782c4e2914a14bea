import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { parseConfig } from "../../src/config/load.ts";
import { startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import type { Lane } from "./observe.ts";
import { RecordingRegion } from "./recording-region.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });

const LOOK_MS = 2;

export interface StartedLane extends Lane {
  /** Resolves when no request is at the region any more. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** An edge in this process before one recording region. */
export async function startEdgeLane(): Promise<StartedLane> {
  const region = await new RecordingRegion().start();
  const loaded = parseConfig(
    stringify({
      edge: { id: "edge-under-test" },
      listen: { http: { host: "127.0.0.1", port: 0 } },
      admin: { port: 0 },
      secrets: ["a-secret-that-only-tests-use"],
      regions: { main: { role: "writer", endpoints: [region.url] } },
      routing: { slowStart: "0ms" },
      health: { interval: "30s", timeout: "2s" },
      proxy: { responseTimeout: "3s", connectTimeout: "1s" },
      shutdown: { grace: "1s" },
    }),
    {},
  );
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const edge = await startEdge({ config: loaded.config, log: SILENT });
  return {
    proxyPort: Number(new URL(edge.httpUrl).port),
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
