import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type Dispatcher, request } from "undici";
import { takeOrders } from "../chaos/child.ts";

/**
 * The ordinary traffic of a siege, a process of its own: reads and small writes at a steady rate, one half over connections
 * that are kept, the other over a new one each. Beside them every fourth time the same straight to the region, which says
 * what of all that is this machine's.
 */
export interface OrdinaryTally {
  readonly sent: number;
  /** Answered 2xx. */
  readonly succeeded: number;
  /** By status or code of the error, of the others. */
  readonly failures: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The 99th percentile of the same without the edge. */
  readonly controlP99Ms: number;
  /** The 99th percentile of reads and writes, over kept and over new connections. */
  readonly p99MsByKind: Readonly<Record<string, number>>;
}

const TIMEOUT_MS = 10_000;
const WRITE_EVERY = 10;
const CONTROL_EVERY = 4;

interface Counted {
  readonly durationsMs: number[];
  readonly byKind: Map<string, number[]>;
  readonly failures: Map<string, number>;
  readonly controlMs: number[];
  sent: number;
}

const [url = "", regionUrl = "", ratePerSecond = "200"] = process.argv.slice(2);
const kept = new Agent({ connections: 64, keepAliveTimeout: 60_000, headersTimeout: TIMEOUT_MS });
const inFlight = new Set<Promise<void>>();
let counted = fresh();
let stopping = false;

function fresh(): Counted {
  return { durationsMs: [], byKind: new Map(), failures: new Map(), controlMs: [], sent: 0 };
}

async function ask(index: number, into: Counted): Promise<void> {
  into.sent += 1;
  const { kind, outcome, durationMs } = await timed(url, index);
  if (outcome === "2xx") {
    into.durationsMs.push(durationMs);
    into.byKind.set(kind, [...(into.byKind.get(kind) ?? []), durationMs]);
  } else into.failures.set(outcome, (into.failures.get(outcome) ?? 0) + 1);
}

async function askRegion(index: number, into: Counted): Promise<void> {
  const { durationMs } = await timed(regionUrl, index);
  into.controlMs.push(durationMs);
}

interface Timed {
  readonly kind: string;
  readonly outcome: string;
  readonly durationMs: number;
}

async function timed(target: string, index: number): Promise<Timed> {
  const startedMs = performance.now();
  const isKept = (index / CONTROL_EVERY) % 2 < 1;
  const dispatcher = isKept ? kept : new Agent({ connections: 1, headersTimeout: TIMEOUT_MS });
  const method = index % WRITE_EVERY === 0 ? "POST" : "GET";
  const outcome = await outcomeOf(target, dispatcher, method);
  if (!isKept) void dispatcher.destroy();
  const kind = `${method} over ${isKept ? "a kept" : "a new"} connection`;
  return { kind, outcome, durationMs: performance.now() - startedMs };
}

async function outcomeOf(target: string, dispatcher: Dispatcher, method: "GET" | "POST"): Promise<string> {
  try {
    const body = method === "POST" ? "x".repeat(2_000) : null;
    const answer = await request(target, { dispatcher, method, body, bodyTimeout: TIMEOUT_MS });
    await answer.body.dump();
    return answer.statusCode < 300 ? "2xx" : String(answer.statusCode);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

async function run(): Promise<void> {
  const startedMs = performance.now();
  for (let index = 0; !stopping; index += 1) {
    const dueMs = startedMs + (index * 1_000) / Number(ratePerSecond);
    while (performance.now() < dueMs) await sleep(Math.max(1, dueMs - performance.now()));
    follow(ask(index, counted));
    if (index % CONTROL_EVERY === 0) follow(askRegion(index, counted));
  }
}

function follow(asking: Promise<void>): void {
  inFlight.add(asking);
  void asking.finally(() => inFlight.delete(asking));
}

/** What was sent since this was called before; resolves when all of it has ended. */
async function tally(): Promise<OrdinaryTally> {
  const { durationsMs, byKind, controlMs, failures, sent } = counted;
  counted = fresh();
  await Promise.all(inFlight);
  return {
    sent,
    succeeded: durationsMs.length,
    failures: Object.fromEntries(failures),
    p50Ms: quantile(durationsMs, 0.5),
    p99Ms: quantile(durationsMs, 0.99),
    maxMs: quantile(durationsMs, 1),
    controlP99Ms: quantile(controlMs, 0.99),
    p99MsByKind: Object.fromEntries([...byKind].map(([kind, all]) => [kind, quantile(all, 0.99)])),
  };
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

void run();
takeOrders(null, async ({ act }) => {
  if (act === "stop") stopping = true;
  return tally();
});
