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
  start(stage: Stage, port: number): Promise<Running>;
}

const ROOT = path.join(import.meta.dirname, "..");
const NODE_MODULES = path.join(import.meta.dirname, "node_modules");
const LUA_REDIS = "/usr/share/lua/5.1/nginx/redis.lua";
const LUA_MODULE = "/usr/lib/nginx/modules/ngx_http_lua_module.so";
const SECRET = "a-secret-that-only-the-bench-uses";

type Tree = Readonly<Record<string, unknown>>;

const OFF: Tree = { affinity: { enabled: false }, consistency: { mode: "off" }, log: { access: "off" } };
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
  scripted("http-proxy"),
  scripted("reply-from"),
  configured("nginx-lua", "redis", "nginx-lua.conf", nginx, [LUA_REDIS, LUA_MODULE, "redis-server"]),
  configured("haproxy-stick", "process", "haproxy-stick.cfg", haproxy),
];

/** In the order in which they are shown. */
export const SUBJECTS: readonly Subject[] = [...MERIDIAN, ...PEERS];

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

function meridian(name: string, pinnedBy: PinnedBy, settings: Tree): Subject {
  const needs = pinnedBy === "redis" ? ["redis-server"] : [];
  const start = (stage: Stage, port: number) => startMeridian(stage, port, { name, pinnedBy, settings });
  return { name, job: jobOf(pinnedBy), pinnedBy, needs, start };
}

async function startMeridian(
  stage: Stage,
  port: number,
  {
    name,
    pinnedBy,
    settings,
  }: { readonly name: string; readonly pinnedBy: PinnedBy; readonly settings: Tree },
): Promise<Running> {
  const adminPort = stage.nextPort();
  const { directory, cores } = stage;
  const configuration = {
    edge: { id: name },
    listen: { http: { host: "127.0.0.1", port } },
    admin: { host: "127.0.0.1", port: adminPort },
    secrets: [SECRET],
    ...(pinnedBy === "redis" ? { redis: { url: `redis://127.0.0.1:${stage.redis}`, namespace: name } } : {}),
    regions: regionsFor(stage),
    ...(pinnedBy === null ? {} : { routing: { policy: "priority" } }),
    ...settings,
  };
  const file = path.join(directory, `${name}.yaml`);
  writeFileSync(file, JSON.stringify(configuration));
  if (pinnedBy === "redis") await ageRedis(stage.redis, name);
  const command = [process.execPath, edgeFile(), "serve", "-c", file];
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
function edgeFile(): string {
  return path.resolve(ROOT, process.env.BENCH_EDGE ?? "dist/main.js");
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
  const start = async (stage: Stage, port: number): Promise<Running> => {
    const { directory, cores, writer, replica, redis } = stage;
    const file = fillIn(template, { name, directory, port, writer, replica, redis }, directory, name);
    const command = commandOf(file, directory);
    // Go would take both cores for its own otherwise.
    const environment = { GOMAXPROCS: "1", HOME: directory };
    return ready(new Running({ name, command, core: cores.subject, directory, environment }), port);
  };
  const [program = name] = commandOf("", "");
  return { name, job: jobOf(pinnedBy), pinnedBy, needs: [program, ...alsoNeeds], start };
}

/** A package of `bench/package.json`, run by the Node that runs the edge. */
function scripted(name: string): Subject {
  const start = (stage: Stage, port: number): Promise<Running> => {
    const { directory, cores, replica } = stage;
    const command = [process.execPath, path.join(import.meta.dirname, "peers", `${name}.js`)];
    const environment = { NODE_ENV: "production", PORT: `${port}`, REPLICA: `${replica}` };
    return ready(new Running({ name, command, core: cores.subject, directory, environment }), port);
  };
  return { name, job: "forward", pinnedBy: null, needs: [NODE_MODULES], start };
}

async function ready(running: Running, port: number): Promise<Running> {
  await untilAnswers(`http://127.0.0.1:${port}/`, [running]);
  return running;
}
