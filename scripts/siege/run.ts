import { openSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EdgeProcess, startEdgeProcess } from "../../test/support/edge-process.ts";
import { Child } from "../chaos/child.ts";
import type { CrowdCount } from "./crowd.ts";
import { type Held, type HeldOver, HeldWatch } from "./held.ts";
import type { OrdinaryTally } from "./ordinary.ts";
import type { Transferred } from "./transfer.ts";

export interface SiegeOptions {
  readonly idle: number;
  readonly active: number;
  /** Slow heads, and as many slow bodies. */
  readonly attackers: number;
  readonly ratePerSecond: number;
  /** Of one phase; the attack lasts for two. */
  readonly phaseMs: number;
  readonly transferBytes: number;
  /** Of the edge's configuration, beside what a siege needs; YAML. */
  readonly limits: string;
}

export interface Phase {
  readonly name: string;
  readonly ordinary: OrdinaryTally;
  readonly crowd: CrowdCount;
  readonly edge: HeldOver;
  /** The latest that its event loop came to anything. */
  readonly lateMs: number;
}

export interface Transfer extends Transferred {
  readonly name: string;
  readonly before: Held;
  readonly edge: HeldOver;
}

export interface SiegeReport {
  /** Before the first client came, and some time after the last one left. */
  readonly start: Held;
  readonly end: Held;
  readonly phases: readonly Phase[];
  readonly transfers: readonly Transfer[];
  /** Of the edge's own metrics, at the end. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** How long descriptors may take to be back: longer than the connections to this region are kept. */
const BACK_WITHIN_MS = 15_000;

/**
 * Lays siege to an edge before one region, and sends the gigabytes through a fresh one, so that what they cost is seen.
 * Every part of it is a process of its own.
 */
export async function siege(options: SiegeOptions, say: (line: string) => void): Promise<SiegeReport> {
  const { child: region, ready } = await Child.start(fileOf("region.ts"), []);
  try {
    const { url } = ready as { url: string };
    const phases = await besiege(options, url, say);
    return { ...phases, transfers: await playTransfers(options, url, say) };
  } finally {
    await region.end("SIGKILL");
  }
}

interface Besieged {
  readonly edge: EdgeProcess;
  readonly watch: HeldWatch;
  readonly ordinary: Child;
  readonly crowd: Child;
}

async function besiege(
  options: SiegeOptions,
  regionUrl: string,
  say: (line: string) => void,
): Promise<Omit<SiegeReport, "transfers">> {
  const edge = await startEdge(regionUrl, options);
  const watch = new HeldWatch(edge.pid);
  const { last: start } = await watch.since();
  const rate = String(options.ratePerSecond);
  const { child: ordinary } = await Child.start(fileOf("ordinary.ts"), [edge.httpUrl, regionUrl, rate]);
  const { child: crowd } = await Child.start(fileOf("crowd.ts"), [edge.httpUrl]);
  const leave = () => Promise.all([ordinary.end("SIGKILL"), crowd.end("SIGKILL")]);
  try {
    const phases = await playPhases(options, { edge, watch, ordinary, crowd }, say);
    const metrics = await metricsOf(edge);
    await leave();
    return { start, end: await heldInTheEnd(watch, start), phases, metrics };
  } finally {
    watch.close();
    await leave();
    await edge.stop();
  }
}

async function playPhases(
  { idle, active, attackers, phaseMs }: SiegeOptions,
  { edge, watch, ordinary, crowd }: Besieged,
  say: (line: string) => void,
): Promise<readonly Phase[]> {
  const phases: Phase[] = [];
  const phase = async (name: string, ms: number, orders: readonly (readonly [string, number?])[] = []) => {
    say(name);
    for (const [act, count = 0] of orders) await crowd.order({ act, count });
    await sleep(ms);
    const count = (await crowd.order({ act: "count" })) as CrowdCount;
    phases.push({
      name,
      crowd: count,
      edge: await watch.since(),
      lateMs: await latestMs(edge),
      ordinary: (await ordinary.order({ act: "tally" })) as OrdinaryTally,
    });
  };
  // What runs for the first time is slow, and belongs to no phase.
  await sleep(phaseMs / 2);
  await ordinary.order({ act: "tally" });
  await Promise.all([watch.since(), latestMs(edge)]);
  await phase("ordinary requests alone", phaseMs);
  await phase("idle and active connections come", phaseMs, [
    ["idle", idle],
    ["active", active],
  ]);
  await phase("idle and active connections", phaseMs);
  await phase("slow heads and slow bodies beside them", 2 * phaseMs, [["attack", attackers]]);
  await phase("the attack is over", phaseMs, [["retreat"]]);
  await phase("ordinary requests alone again", phaseMs, [["leave"]]);
  await ordinary.order({ act: "stop" });
  return phases;
}

async function playTransfers(
  options: SiegeOptions,
  regionUrl: string,
  say: (line: string) => void,
): Promise<readonly Transfer[]> {
  const edge = await startEdge(regionUrl, options);
  const watch = new HeldWatch(edge.pid);
  const { child: client } = await Child.start(fileOf("transfer.ts"), [edge.httpUrl]);
  const count = options.transferBytes;
  const transfers: Transfer[] = [];
  try {
    for (const act of ["upload", "download"]) {
      say(`${act} of ${count} bytes`);
      const { last: before } = await watch.since();
      const done = (await client.order({ act, count })) as Transferred;
      transfers.push({ name: act, ...done, before, edge: await watch.since() });
    }
    return transfers;
  } finally {
    watch.close();
    await client.end("SIGKILL");
    await edge.stop();
  }
}

function startEdge(regionUrl: string, { limits }: SiegeOptions): Promise<EdgeProcess> {
  return startEdgeProcess(edgeYaml(regionUrl, limits), { logFile: openSync("/dev/null", "a") });
}

function fileOf(name: string): string {
  return path.join(import.meta.dirname, name);
}

/** What is held once descriptors are back to the start, or have not come back in time. */
async function heldInTheEnd(watch: HeldWatch, start: Held): Promise<Held> {
  const deadlineMs = performance.now() + BACK_WITHIN_MS;
  for (;;) {
    const { last } = await watch.since();
    if (last.descriptors <= start.descriptors || performance.now() > deadlineMs) return last;
    await sleep(500);
  }
}

/** The defaults, but that connections stay idle for as long as the siege lasts. */
function edgeYaml(regionUrl: string, limits: string): string {
  return `
edge: { id: besieged }
listen: { http: { host: 127.0.0.1, port: 0 } }
admin: { host: 127.0.0.1, port: 0 }
secrets: [a-secret-that-only-a-siege-uses]
regions:
  main: { role: writer, endpoints: ["${regionUrl}"] }
limits: ${limits}
log: { level: warn, access: errors }
`;
}

/** Since it was asked before. */
async function latestMs(edge: EdgeProcess): Promise<number> {
  const [, seconds] =
    /^meridian_event_loop_lag_seconds\{quantile="1"\} (\S+)$/m.exec(await scrape(edge)) ?? [];
  return Number(seconds) * 1_000;
}

async function scrape({ adminUrl }: EdgeProcess): Promise<string> {
  return (await fetch(`${adminUrl}/metrics`)).text();
}

/** What the edge counted of its refusals and cuts. */
async function metricsOf(edge: EdgeProcess): Promise<Readonly<Record<string, number>>> {
  const text = await scrape(edge);
  const wanted = /^(meridian_(?:faults|heads_refused|connections_refused)_total\{.*\}) ([1-9]\d*)$/gm;
  return Object.fromEntries([...text.matchAll(wanted)].map(([, name = "", value]) => [name, Number(value)]));
}
