import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Running } from "./process.ts";
import { ageRedis, fillIn, type Stage, untilAnswers } from "./stage.ts";

/**
 * What a subject is asked to do: `forward` every request to one region; or `pins`, which sends writes to the writer,
 * whoever has just written after them, and everybody else to the replica.
 */
export type Job = "forward" | "pins";

export interface Subject {
  readonly name: string;
  readonly job: Job;
  /** What keeps its pins: a Redis that all edges share, this process alone, or the user's own cookie; null without. */
  readonly pinnedBy: "redis" | "process" | "cookie" | null;
  /** Programs and files without which it is skipped. */
  readonly needs: readonly string[];
  /** What it cannot do for a client: HTTP/2, WebSockets, `Connection: close` in a request, TLS as it is set up here. */
  readonly lacks: readonly Ability[];
  start(stage: Stage, ports: Ports): Promise<Running>;
}

export type Ability = "tls" | "h2" | "websocket" | "close";

/** Where it listens: in clear, and with TLS. */
export interface Ports {
  readonly http: number;
  readonly tls: number;
}

const ROOT = path.join(import.meta.dirname, "..");
const NODE_MODULES = path.join(import.meta.dirname, "node_modules");
const LUA_REDIS = "/usr/share/lua/5.1/nginx/redis.lua";
const LUA_MODULE = "/usr/lib/nginx/modules/ngx_http_lua_module.so";
const SECRET = "a-secret-that-only-the-bench-uses";

export type Tree = Readonly<Record<string, unknown>>;

/** Nothing but forwarding. */
export const OFF: Tree = {
  affinity: { enabled: false },
  consistency: { mode: "off" },
  log: { access: "off" },
};
const known = (mode: string): Tree => ({ mode, identity: [{ header: "authorization" }] });

const MERIDIAN: readonly Subject[] = [
  meridian("meridian", null, OFF),
  meridian("meridian-log", null, { ...OFF, log: { access: "all" } }),
  meridian("meridian-affinity", null, { ...OFF, affinity: { enabled: true } }),
  meridian("meridian-strict", "redis", { consistency: known("strict"), log: { access: "off" } }),
  meridian("meridian-bounded", "redis", { consistency: known("bounded"), log: { access: "off" } }),
  meridian("meridian-cookie", "cookie", { consistency: known("cookie"), log: { access: "off" } }),
];

const PEERS: readonly Subject[] = [
  configured("nginx", null, "nginx.conf", nginx),
  configured("haproxy", null, "haproxy.cfg", haproxy),
  configured("caddy", null, "Caddyfile", caddy),
  scripted("http-proxy", ["h2"]),
  scripted("reply-from", ["h2", "websocket", "close"]),
  configured("nginx-lua", "redis", "nginx-lua.conf", nginx, [LUA_REDIS, LUA_MODULE, "redis-server"]),
  configured("haproxy-stick", "process", "haproxy-stick.cfg", haproxy),
];

/** In the order in which they are shown. */
export const SUBJECTS: readonly Subject[] = [...MERIDIAN, ...PEERS];
/** Those that are measured only when they are named: the sources as they are, without the build; and what no proxy on Node can do without. */
export const MORE_SUBJECTS: readonly Subject[] = [
  meridian("meridian-source", null, OFF, "src/main.ts"),
  scripted("floor", ["tls", "h2", "websocket", "close"]),
];

/** Which of its needs this machine lacks. */
export function lacking({ needs }: Subject): readonly string[] {
  return needs.filter((need) => (need.startsWith("/") ? !existsSync(need) : !isInstalled(need)));
}

export function isInstalled(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
}

type PinnedBy = Subject["pinnedBy"];

function jobOf(pinnedBy: PinnedBy): Job {
  return pinnedBy === null ? "forward" : "pins";
}

function meridian(name: string, pinnedBy: PinnedBy, settings: Tree, source?: string): Subject {
  const needs = pinnedBy === "redis" ? ["redis-server"] : [];
  const from = edgeFile(source);
  const start = (stage: Stage, ports: Ports) =>
    startMeridian(stage, ports, { name, pinnedBy, settings, from });
  return { name, job: jobOf(pinnedBy), pinnedBy, needs, lacks: [], start };
}

export interface MeridianSetup {
  readonly name: string;
  readonly pinnedBy: PinnedBy;
  /** The fleet's; its own name when left out. */
  readonly namespace?: string;
  /** What else its configuration says. */
  readonly settings: Tree;
  readonly from?: string;
}

/** Resolves when it is ready. `from` is the file that is run. */
export async function startMeridian(
  stage: Stage,
  { http: port, tls }: Ports,
  { name, pinnedBy, settings, namespace = name, from = edgeFile() }: MeridianSetup,
): Promise<Running> {
  const adminPort = stage.nextPort();
  const { directory, cores } = stage;
  const configuration = {
    edge: { id: name },
    listen: {
      http: { host: "127.0.0.1", port },
      https: { host: "127.0.0.1", port: tls, certFile: stage.certificate, keyFile: stage.key },
    },
    admin: { host: "127.0.0.1", port: adminPort },
    secrets: [SECRET],
    ...(pinnedBy === "redis" ? { redis: { url: `redis://127.0.0.1:${stage.redis}`, namespace } } : {}),
    regions: regionsFor(stage),
    ...(pinnedBy === null ? {} : { routing: { policy: "priority" } }),
    ...settings,
  };
  const file = path.join(directory, `${name}.yaml`);
  writeFileSync(file, JSON.stringify(configuration));
  if (pinnedBy === "redis") await ageRedis(stage.redis, namespace);
  const command = [process.execPath, from, "serve", "-c", file];
  const environment = { NODE_ENV: "production" };
  const running = new Running({ name, command, core: cores.subject, directory, environment });
  await untilAnswers(`http://127.0.0.1:${adminPort}/readyz`, [running]);
  return running;
}

/** The replica first: by the policy priority it is where everybody reads who has not just written. */
function regionsFor({ writer, replica }: Stage): Tree {
  return {
    replica: { role: "replica", endpoints: [`http://127.0.0.1:${replica}`] },
    writer: { role: "writer", endpoints: [`http://127.0.0.1:${writer}`] },
  };
}

/** `BENCH_EDGE` names another, to measure an earlier build or the sources against this one. */
function edgeFile(file = process.env.BENCH_EDGE ?? "dist/main.js"): string {
  return path.resolve(ROOT, file);
}

type CommandOf = (configurationFile: string, directory: string) => readonly string[];

function nginx(file: string, directory: string): readonly string[] {
  return ["nginx", "-p", directory, "-c", file];
}

function haproxy(file: string): readonly string[] {
  return ["haproxy", "-db", "-q", "-f", file];
}

function caddy(file: string): readonly string[] {
  return ["caddy", "run", "--config", file, "--adapter", "caddyfile"];
}

function configured(
  name: string,
  pinnedBy: PinnedBy,
  template: string,
  commandOf: CommandOf,
  alsoNeeds: readonly string[] = [],
): Subject {
  const start = async (stage: Stage, { http: port, tls }: Ports): Promise<Running> => {
    const { directory, cores, writer, replica, redis, certificate, key, both } = stage;
    const words = { name, directory, port, tls, writer, replica, redis, certificate, key, both };
    const file = fillIn(template, words, directory, name);
    const command = commandOf(file, directory);
    // Go would take both cores for its own otherwise.
    const environment = { GOMAXPROCS: "1", HOME: directory };
    return ready(new Running({ name, command, core: cores.subject, directory, environment }), port);
  };
  const lacks: readonly Ability[] = pinnedBy === null ? [] : ["tls", "h2", "websocket"];
  const [program = name] = commandOf("", "");
  return { name, job: jobOf(pinnedBy), pinnedBy, needs: [program, ...alsoNeeds], lacks, start };
}

/** A package of `bench/package.json`, run by the Node that runs the edge. */
function scripted(name: string, lacks: readonly Ability[]): Subject {
  const start = (stage: Stage, { http: port, tls }: Ports): Promise<Running> => {
    const { directory, cores, replica, certificate: CERTIFICATE, key: KEY } = stage;
    const command = [process.execPath, path.join(import.meta.dirname, "peers", `${name}.js`)];
    const ports = { PORT: `${port}`, TLS: `${tls}`, REPLICA: `${replica}` };
    const environment = { NODE_ENV: "production", ...ports, CERTIFICATE, KEY };
    return ready(new Running({ name, command, core: cores.subject, directory, environment }), port);
  };
  return { name, job: "forward", pinnedBy: null, needs: [NODE_MODULES], lacks, start };
}

async function ready(running: Running, port: number): Promise<Running> {
  await untilAnswers(`http://127.0.0.1:${port}/`, [running]);
  return running;
}
