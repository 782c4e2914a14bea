import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";
import { loadConfigFile, parseConfig } from "../../src/config/load.ts";
import { type Edge, type EdgeOptions, startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });

/** A region of one test's own making: probes pass, everything else is the handler's. */
export class ScriptedRegion {
  readonly server: Server;
  url = "";
  /** What a probe is answered with; null: nothing but 200. */
  health: (() => object) | null = null;

  constructor(handler: RequestListener) {
    this.server = createServer((req, res) => {
      if (req.url === "/healthz" && this.health === null) res.end();
      else if (req.url === "/healthz")
        res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(this.health?.()));
      else handler(req, res);
    });
  }

  async start(): Promise<this> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, "close");
  }
}

export interface ScriptedWorld {
  readonly edge: Edge;
  readonly regions: Readonly<Record<string, ScriptedRegion>>;
  stop(): Promise<void>;
}

/**
 * Regions made of handlers, the first one the writer and the nearest, and an edge in front of them. With a folder the
 * configuration is a file in it, so that it may name others and be read again.
 */
export async function startScripted(
  handlers: Readonly<Record<string, RequestListener | readonly RequestListener[]>>,
  overrides: Readonly<Record<string, unknown>> = {},
  { folder = null, ...proofs }: Pick<EdgeOptions, "vitals"> & { folder?: string | null } = {},
): Promise<ScriptedWorld> {
  const regions: Record<string, ScriptedRegion> = {};
  const configured: Record<string, unknown> = {};
  for (const [id, given] of Object.entries(handlers)) {
    const endpoints: string[] = [];
    for (const [index, handler] of [given].flat().entries()) {
      const region = await new ScriptedRegion(handler as RequestListener).start();
      regions[index === 0 ? id : `${id}.${index}`] = region;
      endpoints.push(region.url);
    }
    configured[id] = { role: Object.keys(configured).length === 0 ? "writer" : "replica", endpoints };
  }
  const text = stringify({
    edge: { id: "edge-under-test" },
    listen: { http: { host: "127.0.0.1", port: 0 } },
    admin: { port: 0 },
    secrets: ["a-secret-that-only-tests-use"],
    regions: configured,
    // The file's order decides, so that a test knows which region is asked first; probes do not interfere.
    routing: { policy: "priority", slowStart: "0ms" },
    health: { interval: "30s", timeout: "2s" },
    consistency: { graceWindow: "2s" },
    proxy: { responseTimeout: "3s", connectTimeout: "1s" },
    shutdown: { grace: "1s" },
    // The machine of a test is busy with the test.
    limits: { overload: { eventLoopDelay: "0ms" } },
    ...overrides,
  });
  const configFile = folder === null ? null : join(folder, "meridian.yaml");
  if (configFile !== null) await writeFile(configFile, text);
  const loaded = configFile === null ? parseConfig(text, {}) : await loadConfigFile(configFile, {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const edge = await startEdge({
    config: loaded.config,
    configFile,
    log: SILENT,
    ...proofs,
  });
  return {
    edge,
    regions,
    stop: async () => {
      await edge.stop(0);
      for (const region of Object.values(regions)) await region.stop();
    },
  };
}
