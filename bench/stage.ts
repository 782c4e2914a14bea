import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cores, Running } from "./process.ts";

const PEERS = path.join(import.meta.dirname, "peers");
const READY_WITHIN_MS = 20_000;
/** Of Redis' memory, so that no edge takes it for one that has forgotten. */
const AGED_MS = 3_600_000;
const SIZES = { "10k": 10_000, "1m": 1_000_000 };

/** What every subject stands before: two regions, and a Redis. */
export interface Stage {
  readonly directory: string;
  readonly cores: Cores;
  readonly writer: number;
  readonly replica: number;
  readonly redis: number;
  readonly redisProcess: Running | null;
  /** For 127.0.0.1, signed by nobody; `both` is the certificate and its key in one file. */
  readonly certificate: string;
  readonly key: string;
  readonly both: string;
  nextPort(): number;
  stop(): Promise<void>;
}

/** Starts the regions and, when there is one on this machine, Redis. */
export async function setStage(firstPort: number, cores: Cores, withRedis: boolean): Promise<Stage> {
  const directory = mkdtempSync(path.join(tmpdir(), "meridian-bench-"));
  // Started by root, nginx reads the bodies as somebody else.
  chmodSync(directory, 0o755);
  let port = firstPort;
  const nextPort = () => port++;
  const [writer, replica, redis, echo] = [nextPort(), nextPort(), nextPort(), nextPort()];
  writeBodies(directory);
  const files = writeCertificate(directory);
  const core = cores.rest;
  const region = (name: string, at: number) => {
    const file = fillIn(
      "region.conf",
      { directory, name, port: at, echo, body: "x".repeat(100) },
      directory,
      name,
    );
    return new Running({ name, command: ["nginx", "-p", directory, "-c", file], core, directory });
  };
  const echoCommand = [process.execPath, path.join(import.meta.dirname, "echo.ts"), `${echo}`];
  const processes = [
    region("writer", writer),
    region("replica", replica),
    new Running({ name: "echo", command: echoCommand, core, directory }),
  ];
  const args = ["--port", `${redis}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const redisProcess = withRedis
    ? new Running({ name: "redis", command: ["redis-server", ...args], core, directory })
    : null;
  if (redisProcess !== null) processes.push(redisProcess);
  await Promise.all([
    ...[writer, replica].map((at) => untilAnswers(`http://127.0.0.1:${at}/healthz`, processes)),
    ...(withRedis ? [untilAccepts(redis)] : []),
  ]);
  const stop = async () => {
    await Promise.all(processes.map((each) => each.stop()));
    rmSync(directory, { recursive: true, force: true });
  };
  return { directory, cores, writer, replica, redis, redisProcess, ...files, nextPort, stop };
}

function writeCertificate(directory: string) {
  const pem = (name: string) => path.join(directory, `${name}.pem`);
  const [certificate, key, both] = [pem("certificate"), pem("key"), pem("both")];
  const kind = [
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "30",
  ];
  const whose = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = spawnSync("openssl", ["req", ...kind, ...whose, "-keyout", key, "-out", certificate]);
  if (made.status !== 0) throw new Error(`openssl is needed for certificates: ${made.stderr ?? made.error}`);
  writeFileSync(both, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"));
  return { certificate, key, both };
}

function writeBodies(directory: string): void {
  const bodies = path.join(directory, "bodies", "bytes");
  mkdirSync(bodies, { recursive: true });
  for (const [name, size] of Object.entries(SIZES)) writeFileSync(path.join(bodies, name), "x".repeat(size));
}

/** Writes a configuration of `bench/peers` with its `{{words}}` filled in; the path of the result. */
export function fillIn(
  template: string,
  words: Readonly<Record<string, string | number>>,
  directory: string,
  name: string,
): string {
  const text = readFileSync(path.join(PEERS, template), "utf8");
  const file = path.join(directory, `${name}-${template}`);
  writeFileSync(file, filled(text, { ...words, peers: PEERS }));
  return file;
}

/** A word that nobody gives is an error of the template. */
export function filled(text: string, words: Readonly<Record<string, string | number>>): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_all, word: string) => {
    const value = words[word];
    if (value === undefined) throw new Error(`nobody gives {{${word}}}`);
    return `${value}`;
  });
}

/** Resolves when the address answers with a 2xx; rejects when one of the processes has ended, or it takes too long. */
export async function untilAnswers(url: string, processes: readonly Running[]): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const { ok } = await fetch(url).catch(() => ({ ok: false }));
    if (ok) return;
    const ended = processes.find((each) => each.ended);
    if (ended !== undefined || performance.now() > deadlineMs)
      throw new Error(`${url} does not answer\n${(ended ?? processes[0])?.log() ?? ""}`);
    await sleep(10);
  }
}

export async function untilAccepts(port: number): Promise<void> {
  const deadlineMs = performance.now() + READY_WITHIN_MS;
  while ((await redisCommand(port, "PING").catch(() => "")) === "") {
    if (performance.now() > deadlineMs) throw new Error("redis-server does not start");
    await sleep(50);
  }
}

/**
 * Makes the Redis one that has long held what it was told, so that no edge of this namespace doubts it. Once: what is
 * said of it anew is to an edge that is there a Redis that has forgotten.
 */
export async function ageRedis(port: number, namespace: string): Promise<void> {
  const run = /run_id:(\w+)/.exec(await redisCommand(port, "INFO server"))?.[1] ?? "";
  await redisCommand(port, `SET ${namespace}:born "${Date.now() - AGED_MS} ${run}" NX`);
}

/** Sends one inline command over a connection of its own; the raw answer. */
export async function redisCommand(port: number, line: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`${line}\r\nQUIT\r\n`);
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) answer += chunk;
  return answer.replace(/\+OK\r\n$/, "");
}

/** How many requests a region has been sent since it was started. */
export async function countOf(regionPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${regionPort}/count`)).text();
  return Number(/^ (?:\d+) (?:\d+) (\d+)/m.exec(text)?.[1] ?? Number.NaN);
}
