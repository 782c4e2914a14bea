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

/** Lays siege to one edge before one region. Every part of it is a process of its own. */
export async function siege(options: SiegeOptions, say: (line: string) => void): Promise<SiegeReport> {
  const children: Child[] = [];
  const play = async (file: string, ...args: readonly string[]) => {
    const { child, ready } = await Child.start(path.join(import.meta.dirname, file), args);
    children.push(child);
    return { child, ready };
  };
  const { ready } = await play("region.ts");
  const regionUrl = (ready as { url: string }).url;
  const yaml = edgeYaml(regionUrl, options.limits);
  const edge = await startEdgeProcess(yaml, { logFile: openSync("/dev/null", "a") });
  const watch = new HeldWatch(edge.pid);
  try {
    const { last: start } = await watch.since();
    const [ordinary, crowd, client] = await Promise.all([
      play("ordinary.ts", edge.httpUrl, regionUrl, String(options.ratePerSecond)),
      play("crowd.ts", edge.httpUrl),
      play("transfer.ts", edge.httpUrl),
    ]);
    const besieged = { edge, watch, ordinary: ordinary.child, crowd: crowd.child, client: client.child };
    const phases = await playPhases(options, besieged, say);
    const transfers = await playTransfers(options, besieged, say);
    const metrics = await metricsOf(edge);
    await Promise.all(children.slice(1).map((child) => child.end("SIGKILL")));
    return { start, end: await heldInTheEnd(watch, start), phases, transfers, metrics };
  } finally {
    watch.close();
    await Promise.all(children.map((child) => child.end("SIGKILL")));
    await edge.stop();
  }
}

interface Besieged {
  readonly edge: EdgeProcess;
  readonly watch: HeldWatch;
  readonly ordinary: Child;
  readonly crowd: Child;
  readonly client: Child;
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
  { transferBytes }: SiegeOptions,
  { watch, client }: Besieged,
  say: (line: string) => void,
): Promise<readonly Transfer[]> {
  const transfers: Transfer[] = [];
  for (const act of ["upload", "download"]) {
    say(`${act} of ${transferBytes} bytes`);
    await watch.since();
    const done = (await client.order({ act, count: transferBytes })) as Transferred;
    transfers.push({ name: act, ...done, edge: await watch.since() });
  }
  return transfers;
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
