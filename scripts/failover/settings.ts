import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse, stringify } from "yaml";
import { HOOK_TIMEOUT_MS, HOOK_TOKEN } from "./promoter.ts";

/** Longer than a failover takes, so that whoever has lost a write is told, and than a replica may seem to lag meanwhile. */
export const GRACE_WINDOW_MS = 6_000;
export const RESPONSE_TIMEOUT_MS = 3_000;
export const HOLD_WRITES_MS = 10_000;

type Tree = { readonly [key: string]: unknown };

/** How a scenario's fleet is configured. */
export interface FleetSettings {
  /** One of `config/`, of which all but addresses and durations is kept; left out: {@link OWN}. */
  readonly file?: string;
  readonly failover: Tree;
  readonly hasHook: boolean;
}

/** Where one edge finds what it needs. */
export interface Addresses {
  readonly id: string;
  readonly http: number;
  readonly admin: number;
  readonly redisUrl: string;
  readonly hookUrl: string;
  /** By region. */
  readonly endpoints: Readonly<Record<string, string>>;
}

const OWN: Tree = {
  regions: { "us-east": { role: "writer" }, "eu-west": { role: "replica" }, "ap-south": { role: "replica" } },
  routing: { policy: "latency" },
  failover: { order: ["eu-west", "ap-south"] },
};

/** What production does in tens of seconds, in one or two. */
const QUICK = {
  secrets: ["a-secret-that-only-the-proof-uses"],
  health: { interval: "400ms", timeout: "350ms", rise: 2, fall: 3, maxLag: "5200ms" },
  proxy: { responseTimeout: `${RESPONSE_TIMEOUT_MS}ms`, connectTimeout: "1s" },
  shutdown: { grace: "1s" },
  log: { level: "info", access: "off" },
};

/** The file that a fleet is configured by, as the shipped one says it, or our own. */
export async function fleetFile({ file }: FleetSettings): Promise<Tree> {
  if (file === undefined) return OWN;
  return parse(await readFile(path.join(import.meta.dirname, "../../config", file), "utf8")) as Tree;
}

/** Only what has to differ on a stage: addresses, and how long things take. */
export function edgeYaml(written: Tree, { failover, hasHook }: FleetSettings, at: Addresses): string {
  const hook = { url: at.hookUrl, timeout: `${HOOK_TIMEOUT_MS}ms`, token: HOOK_TOKEN };
  const { hook: _, ...without } = part(written, "failover");
  return stringify({
    ...written,
    ...QUICK,
    edge: { id: at.id },
    admin: { host: "127.0.0.1", port: at.admin },
    listen: { http: { host: "127.0.0.1", port: at.http } },
    redis: { url: at.redisUrl },
    regions: regionsOf(written, at.endpoints),
    routing: { ...part(written, "routing"), slowStart: "0ms" },
    consistency: { ...part(written, "consistency"), graceWindow: `${GRACE_WINDOW_MS}ms` },
    failover: { ...without, holdWrites: `${HOLD_WRITES_MS}ms`, ...failover, ...(hasHook ? { hook } : {}) },
  });
}

/** The regions of a file and which of them writes; null when all do. */
export function placesOf(written: Tree): { readonly ids: readonly string[]; readonly writer: string | null } {
  const regions = Object.entries(part(written, "regions")) as [string, { role: string }][];
  const writers = regions.filter(([, { role }]) => role === "writer").map(([id]) => id);
  return { ids: regions.map(([id]) => id), writer: writers.length === 1 ? (writers[0] ?? null) : null };
}

function regionsOf(written: Tree, endpoints: Addresses["endpoints"]): Tree {
  const regions = Object.entries(part(written, "regions")) as [string, Tree][];
  return Object.fromEntries(regions.map(([id, said]) => [id, { ...said, endpoints: [endpoints[id]] }]));
}

function part(written: Tree, key: string): Tree {
  return (written[key] ?? {}) as Tree;
}
