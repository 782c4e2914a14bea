import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type Dispatcher, request } from "undici";
import { takeOrders } from "../chaos/child.ts";

/**
 * The ordinary traffic of a siege, a process of its own so that what it measures is the edge's and not the siege's: reads
 * and small writes at a steady rate, one half over connections that are kept, the other over a new one each.
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
}

const TIMEOUT_MS = 10_000;
const WRITE_EVERY = 10;

interface Counted {
  readonly durationsMs: number[];
  readonly failures: Map<string, number>;
  sent: number;
}

const [url = "", ratePerSecond = "200"] = process.argv.slice(2);
const kept = new Agent({ connections: 64, keepAliveTimeout: 60_000, headersTimeout: TIMEOUT_MS });
const inFlight = new Set<Promise<void>>();
let counted = fresh();
let stopping = false;

function fresh(): Counted {
  return { durationsMs: [], failures: new Map(), sent: 0 };
}

async function ask(index: number, into: Counted): Promise<void> {
  const startedMs = performance.now();
  into.sent += 1;
  const dispatcher = index % 2 === 0 ? kept : new Agent({ connections: 1, headersTimeout: TIMEOUT_MS });
  const outcome = await outcomeOf(dispatcher, index % WRITE_EVERY === 0 ? "POST" : "GET");
  if (dispatcher !== kept) void dispatcher.destroy();
  if (outcome === "2xx") into.durationsMs.push(performance.now() - startedMs);
  else into.failures.set(outcome, (into.failures.get(outcome) ?? 0) + 1);
}

async function outcomeOf(dispatcher: Dispatcher, method: "GET" | "POST"): Promise<string> {
  try {
    const body = method === "POST" ? "x".repeat(2_000) : null;
    const answer = await request(url, { dispatcher, method, body, bodyTimeout: TIMEOUT_MS });
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
    const asking = ask(index, counted);
    inFlight.add(asking);
    void asking.finally(() => inFlight.delete(asking));
  }
}

/** What was sent since this was called before; resolves when all of it has ended. */
async function tally(): Promise<OrdinaryTally> {
  const { durationsMs, failures, sent } = counted;
  counted = fresh();
  await Promise.all(inFlight);
  const sorted = durationsMs.sort((one, other) => one - other);
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
  return {
    sent,
    succeeded: sorted.length,
    failures: Object.fromEntries(failures),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
  };
}

void run();
takeOrders(null, async ({ act }) => {
  if (act === "stop") stopping = true;
  return tally();
});
