import { randomBytes } from "node:crypto";
import type { SimulatedWorld } from "./simulated-world.ts";

export interface DemoPorts {
  readonly port: number;
  readonly adminPort: number;
}

/** Where the demo finds what is not its own. */
export interface DemoUrls {
  readonly redisUrl: string | null;
  /** Promotes a region of the world. */
  readonly hookUrl: string;
}

/**
 * The edge's configuration, as one would write it. What takes minutes in production (how long a nearer
 * region must be nearer, how long a pin lives, how slowly a region warms up) takes seconds here.
 */
export function demoYaml(
  world: SimulatedWorld,
  { port, adminPort }: DemoPorts,
  { redisUrl, hookUrl }: DemoUrls,
): string {
  const regions = world.regions.map(
    ({ id, url, setup }) =>
      `  ${id}: { role: ${setup.role}, endpoints: ["${url}"], location: [${setup.location ?? [0, 0]}] }`,
  );
  return `
edge: { id: demo, location: [50.1, 8.7] }
listen: { http: { host: 127.0.0.1, port: ${port} } }
admin: { host: 127.0.0.1, port: ${adminPort} }
secrets: ["${randomBytes(24).toString("base64url")}"]
${redisUrl === null ? "" : `redis: { url: "${redisUrl}" }`}
regions:
${regions.join("\n")}
health: { interval: 1s, timeout: 900ms, rise: 2, fall: 2, maxLag: 3s }
routing:
  nearness: { window: 10ms, percent: 15, dwell: 2s }
  slowStart: 5s
consistency: { mode: strict, graceWindow: 5s }
failover: { hook: { url: "${hookUrl}", timeout: 10s } }
shutdown: { grace: 1s }
log: { level: silent, access: off }
`;
}
