import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Agent } from "undici";
import type { LedgerSummary } from "../src/demo/ledger.ts";
import { type EdgeProcess, startEdgeProcess } from "../test/support/edge-process.ts";
import { startRedis } from "../test/support/redis.ts";
import { rotateFaults } from "./soak/faults.ts";
import { type Footprint, footprint } from "./soak/footprint.ts";
import { SoakTally } from "./soak/soak-tally.ts";
import { Client } from "./soak/traffic.ts";

const USAGE = `npm run soak -- [--requests 1000000] [--concurrency 48] [--max-minutes 60] [--calm-seconds 6] [--log FILE] [--out FILE]

A day of an edge in minutes: mixed requests through an edge in front of three simulated regions and a real
redis-server, while regions, Redis and the configuration are broken and mended in turn. Prints what the edge
held at the beginning, each minute and at the end, the errors by kind, stale reads and duplicate executions.
`;
const REGIONS = [
  "id=us-east,role=writer,delayMs=16",
  "id=eu-west,role=replica,delayMs=2,lagMs=300",
  "id=ap-south,role=replica,delayMs=30,lagMs=900",
];
const WARM_UP_REQUESTS = 20_000;
/** Longer than idle connections to regions are kept, so that what is still open at the end is a leak. */
const QUIESCE_MS = 75_000;

interface Options {
  readonly requests: number;
  readonly concurrency: number;
  readonly maxMinutes: number;
  readonly calmMs: number;
  readonly logFile: string;
}

interface Regions {
  readonly child: ChildProcess;
  readonly controlUrl: string;
  readonly urls: Readonly<Record<string, string>>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: "string", default: "1000000" },
      concurrency: { type: "string", default: "48" },
      "max-minutes": { type: "string", default: "60" },
      "calm-seconds": { type: "string", default: "6" },
      log: { type: "string", default: "/dev/null" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const report = await soak({
    requests: Number(values.requests),
    concurrency: Number(values.concurrency),
    maxMinutes: Number(values["max-minutes"]),
    calmMs: Number(values["calm-seconds"]) * 1_000,
    logFile: values.log,
  });
  process.stdout.write(`${summary(report)}\n`);
  if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.staleReads === 0 && report.duplicates.length === 0 ? 0 : 1;
}

async function soak(options: Options) {
  const redis = await startRedis({ aged: true });
  const regions = await startRegions();
  try {
    const yaml = edgeYaml(regions.urls, redis.url);
    const edge = await startEdgeProcess(yaml, { logFile: openSync(options.logFile, "a") });
    try {
      return await run(options, edge, { edge, redis, controlUrl: regions.controlUrl }, regions);
    } finally {
      await edge.stop();
    }
  } finally {
    regions.child.kill("SIGTERM");
    redis.resume();
    await redis.stop();
  }
}

async function run(
  { requests, concurrency, maxMinutes, calmMs }: Options,
  edge: EdgeProcess,
  targets: Parameters<typeof rotateFaults>[0],
  regions: Regions,
) {
  const tally = new SoakTally();
  const startedMs = performance.now();
  const seconds = () => Math.round((performance.now() - startedMs) / 1_000);
  const more = () => tally.requests < requests && seconds() < maxMinutes * 60;
  const measure = () => footprint(edge, { atSeconds: seconds(), requests: tally.requests });
  const agent = new Agent({ connections: concurrency });
  const clients = Array.from(
    { length: concurrency },
    (_, index) => new Client(`soaker-${index}`, { origin: edge.httpUrl, agent }, tally),
  );
  const idle = await measure();
  await Promise.all(clients.map((client) => client.run(() => tally.requests < WARM_UP_REQUESTS && more())));
  const footprints = [await measure()];
  const sampling = sample(measure, footprints, more);
  const [faults] = await Promise.all([
    rotateFaults(targets, tally, { calmMs, more }),
    ...clients.map((client) => client.run(more)),
  ]);
  const loadedSeconds = seconds();
  await agent.destroy();
  await Promise.all([sampling, sleep(QUIESCE_MS)]);
  const quiet = await measure();
  const ledger = await readLedger(regions.urls);
  return {
    requests: tally.requests,
    loadedSeconds,
    footprints: { idle, warm: footprints[0] ?? idle, loaded: footprints.slice(1), quiet },
    faults,
    reads: tally.reads,
    writes: tally.writes,
    others: Object.fromEntries(tally.kinds),
    errors: Object.fromEntries([...tally.errors].sort(([, one], [, other]) => other - one)),
    errorCount: tally.errorCount,
    staleReads: tally.staleReads,
    staleWhere: Object.fromEntries(tally.staleWhere),
    declaredStale: tally.declaredStale,
    executed: ledger.executed,
    misdirected: ledger.misdirected,
    duplicates: ledger.duplicates,
    byRegion: Object.fromEntries(tally.byRegion),
    byReason: Object.fromEntries(tally.byReason),
  };
}

type Report = Awaited<ReturnType<typeof soak>>;

/** Once a minute, and said aloud. */
async function sample(
  measure: () => Promise<Footprint>,
  into: Footprint[],
  more: () => boolean,
): Promise<void> {
  for (let second = 1; more(); second += 1) {
    await sleep(1_000);
    if (second % 60 !== 0) continue;
    const seen = await measure();
    into.push(seen);
    process.stdout.write(`${line("", seen)}\n`);
  }
}

async function startRegions(): Promise<Regions> {
  const file = path.join(import.meta.dirname, "soak/world.ts");
  const child = spawn(process.execPath, [file, ...REGIONS], { stdio: ["ignore", "pipe", "inherit"] });
  process.once("exit", () => child.kill("SIGKILL"));
  const [announcement] = await once(createInterface(child.stdout), "line");
  const { control, regions } = JSON.parse(announcement);
  return { child, controlUrl: control, urls: regions };
}

function edgeYaml(urls: Regions["urls"], redisUrl: string): string {
  return `
edge: { id: soak }
listen: { http: { host: 127.0.0.1, port: 0 } }
admin: { host: 127.0.0.1, port: 0 }
secrets: [a-secret-that-only-the-soak-uses]
redis: { url: "${redisUrl}" }
regions:
  us-east: { role: writer, endpoints: ["${urls["us-east"]}"] }
  eu-west: { role: replica, weight: 100, endpoints: ["${urls["eu-west"]}"] }
  ap-south: { role: replica, endpoints: ["${urls["ap-south"]}"] }
health: { interval: 1s, timeout: 900ms, rise: 2, fall: 2, maxLag: 1500ms }
routing: { nearness: { window: 5ms, dwell: 1s }, slowStart: 2s, paths: [{ path: /about, as: static }] }
consistency: { graceWindow: 3s }
proxy: { connectTimeout: 1s, responseTimeout: 5s }
log: { level: info, access: errors }
`;
}

async function readLedger(urls: Regions["urls"]): Promise<LedgerSummary> {
  const answer = await fetch(`${urls["us-east"]}/ledger`);
  return JSON.parse(await answer.text());
}

function summary(report: Report): string {
  const { idle, warm, loaded, quiet } = report.footprints;
  const perSecond = Math.round(report.requests / Math.max(1, report.loadedSeconds));
  return [
    "",
    `${report.requests} requests in ${report.loadedSeconds} s (${perSecond}/s), ${report.faults.length} faults`,
    "              s   requests    RSS MiB   heap MiB     fds  sockets",
    line("idle", idle),
    line("warm", warm),
    ...loaded.map((seen) => line("", seen)),
    line("quiet", quiet),
    "",
    `stale reads: ${report.staleReads} undeclared, ${report.declaredStale} declared`,
    ...Object.entries(report.staleWhere).map(([where, count]) => `  ${String(count).padStart(7)}  ${where}`),
    `unsafe requests executed: ${report.executed}, more than once: ${report.duplicates.length}, answered 421: ${report.misdirected}`,
    `errors: ${report.errorCount}`,
    ...Object.entries(report.errors).map(([kind, count]) => `  ${String(count).padStart(7)}  ${kind}`),
  ].join("\n");
}

function line(name: string, { atSeconds, requests, rssMiB, heapMiB, fds, sockets }: Footprint): string {
  const cells = [atSeconds, requests, rssMiB, heapMiB ?? "-", fds, sockets];
  const widths = [9, 11, 11, 11, 8, 9];
  return name.padEnd(6) + cells.map((cell, index) => String(cell).padStart(widths[index] ?? 0)).join("");
}

await main();
