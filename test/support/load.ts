import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type Dispatcher, request } from "undici";

export interface LoadOptions {
  /** Full URL of what is asked for, or one per request. */
  readonly url: string | ((index: number) => string);
  readonly ratePerSecond: number;
  readonly durationMs: number;
  readonly method?: Dispatcher.HttpMethod;
  readonly headers?: Record<string, string> | ((index: number) => Record<string, string>);
  readonly body?: string;
  /** Requests in flight beyond which no more are sent, so that a dead target is not swamped. */
  readonly maxInFlight?: number;
  readonly timeoutMs?: number;
  /** How long an idle connection is kept, whatever the server says. */
  readonly keepAliveMs?: number;
  /** Sends no more once it is aborted. */
  readonly signal?: AbortSignal;
  readonly onAnswer?: (answer: LoadAnswer) => void;
}

export interface LoadAnswer {
  readonly index: number;
  /** Since the load began. */
  readonly sentAtMs: number;
  readonly durationMs: number;
  /** The status, or the code of the error. */
  readonly outcome: number | string;
  readonly region: string | null;
}

export interface LoadReport {
  readonly sent: number;
  /** Not sent because `maxInFlight` was reached. */
  readonly skipped: number;
  /** By status, or by the code of the error. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly byRegion: Readonly<Record<string, number>>;
  /** Answers that are neither 2xx, 3xx nor 4xx. */
  readonly errors: number;
  /** When the last failed request was sent, since the load began; null when none failed. */
  readonly lastErrorAtMs: number | null;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const TICK_MS = 10;

/** Sends requests at a steady rate over kept-alive connections, whether or not earlier ones were answered. */
export async function load(options: LoadOptions): Promise<LoadReport> {
  const { ratePerSecond, durationMs, maxInFlight = 256, keepAliveMs } = options;
  const agent = new Agent({
    connections: maxInFlight,
    keepAliveTimeout: keepAliveMs ?? 30_000,
    ...(keepAliveMs === undefined ? {} : { keepAliveMaxTimeout: keepAliveMs }),
  });
  const answers: LoadAnswer[] = [];
  const inFlight = new Set<Promise<void>>();
  const startedMs = performance.now();
  let skipped = 0;
  for (let index = 0; index < (ratePerSecond * durationMs) / 1_000; index += 1) {
    if (options.signal?.aborted) break;
    const dueMs = startedMs + (index * 1_000) / ratePerSecond;
    if (dueMs - performance.now() > TICK_MS) await sleep(TICK_MS);
    while (dueMs > performance.now()) await sleep(1);
    if (inFlight.size >= maxInFlight) {
      skipped += 1;
      continue;
    }
    const sending = send(options, index, startedMs, agent).then((answer) => {
      answers.push(answer);
      options.onAnswer?.(answer);
    });
    inFlight.add(sending);
    void sending.finally(() => inFlight.delete(sending));
  }
  await Promise.all(inFlight);
  await agent.close();
  return report(answers, skipped);
}

async function send(
  options: LoadOptions,
  index: number,
  startedMs: number,
  dispatcher: Dispatcher,
): Promise<LoadAnswer> {
  const { url, method = "GET", headers = {}, body = null, timeoutMs = 10_000 } = options;
  const sentMs = performance.now();
  const ended = (outcome: number | string, region: string | null): LoadAnswer => ({
    index,
    sentAtMs: sentMs - startedMs,
    durationMs: performance.now() - sentMs,
    outcome,
    region,
  });
  try {
    const answer = await request(typeof url === "string" ? url : url(index), {
      method,
      headers: typeof headers === "function" ? headers(index) : headers,
      body,
      dispatcher,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    await answer.body.dump();
    const region = answer.headers["x-meridian-region"];
    return ended(answer.statusCode, region === undefined ? null : String(region));
  } catch (error) {
    return ended(error instanceof Error && "code" in error ? String(error.code) : String(error), null);
  }
}

function report(answers: readonly LoadAnswer[], skipped: number): LoadReport {
  const failed = answers.filter(({ outcome }) => typeof outcome === "string" || outcome >= 500);
  const durations = answers.map(({ durationMs }) => durationMs).sort((one, other) => one - other);
  const quantile = (q: number) =>
    durations[Math.min(durations.length - 1, Math.floor(durations.length * q))] ?? 0;
  return {
    sent: answers.length,
    skipped,
    outcomes: counts(answers.map(({ outcome }) => String(outcome))),
    byRegion: counts(answers.flatMap(({ region }) => region ?? [])),
    errors: failed.length,
    lastErrorAtMs: failed.length === 0 ? null : Math.max(...failed.map(({ sentAtMs }) => sentAtMs)),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
  };
}

function counts(words: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const word of words) found[word] = (found[word] ?? 0) + 1;
  return found;
}
