import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import type { EdgeEvents } from "../events.ts";
import { type Reported, readAnswer, SILENT } from "./answer.ts";
import { AwakeDeadline } from "./deadline.ts";
import { createProbeClient, type RequestPool } from "./pool.ts";
import type { Transport } from "./transport.ts";

/**
 * `pass`, `degraded` and `drain` are answers; `status` is one of an unwanted status, `timeout` none in
 * time, `connect` none at all (refused, reset, TLS, not HTTP), `body` one that was cut or too long.
 */
export type ProbeResult = EdgeEvents["probed"]["result"];

export interface ProbeOutcome {
  readonly result: ProbeResult;
  /** Why it failed, or what in the answer was ignored. */
  readonly cause: string | null;
  /** Request written to response head, without connecting; null when it is not known or not to be trusted. */
  readonly roundTripMs: number | null;
  readonly reported: Reported;
}

export interface ProbeSettings {
  readonly path: string;
  /** From the start, connecting included, to the end of the body. */
  readonly timeoutMs: number;
  readonly expects: (status: number) => boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** A health answer is a few words; an endless one must not fill our memory. */
const MAX_BODY_BYTES = 65_536;

export function passed({ result }: ProbeOutcome): boolean {
  return result === "pass" || result === "degraded" || result === "drain";
}

/** What becomes of a probe that nobody answers. */
export function unanswered(timeoutMs: number): ProbeOutcome {
  const cause = `no answer within ${Math.round(timeoutMs)} ms`;
  return { result: "timeout", cause, roundTripMs: null, reported: SILENT };
}

/** What this process or its system had too little of to make a connection. */
const OWN_SHORTAGE = /\b(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL)\b/;

/** Whether no probe was made, for want of something that is not the endpoint's. */
export function wasNotMade({ result, cause }: ProbeOutcome): boolean {
  return result === "connect" && OWN_SHORTAGE.test(cause ?? "");
}

/** Asks one endpoint how it is, over a connection of its own that real traffic cannot starve. */
export class Probe {
  readonly #transport: () => Transport;
  readonly #clock: Clock;
  /** How the client's connection was made. */
  #made: Transport | null = null;
  #client: RequestPool | null = null;
  /** Whether the client's connection has answered before, so that it may have been closed since. */
  #reused = false;
  #closed = false;

  /** @param transport asked before every probe, for a reload may change it */
  constructor(transport: () => Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** One probe at a time. Never rejects: every failure is an outcome. */
  async run(settings: ProbeSettings): Promise<ProbeOutcome> {
    const startedMs = this.#clock.now();
    const mayBeStale = this.#reused;
    const first = await this.#once(settings);
    if (first.result !== "connect" || !mayBeStale || this.#closed) return first;
    // The peer may have closed an idle connection just as we wrote to it: that is not ill health.
    const leftMs = Math.max(settings.timeoutMs - (this.#clock.now() - startedMs), 1);
    return this.#once({ ...settings, timeoutMs: leftMs });
  }

  /** A probe that is under way ends with `connect`; there must be none afterwards. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#disconnect();
  }

  async #once(settings: ProbeSettings): Promise<ProbeOutcome> {
    const client = this.#connected(settings.timeoutMs * 2);
    const { outcome, reusable } = await new Promise<Ended>((resolve) => {
      const exchange = new Exchange(settings, this.#clock, resolve);
      const { path, headers } = settings;
      client.dispatch({ method: "GET", path, headers: Object.entries(headers).flat() }, exchange);
    });
    this.#reused = reusable;
    if (!reusable) void this.#disconnect();
    return outcome;
  }

  #connected(timeoutMs: number): RequestPool {
    const transport = this.#transport();
    if (transport !== this.#made) void this.#disconnect();
    this.#made = transport;
    this.#client ??= createProbeClient(transport, timeoutMs);
    return this.#client;
  }

  async #disconnect(): Promise<void> {
    this.#reused = false;
    const client = this.#client;
    this.#client = null;
    await client?.destroy();
  }
}

interface Ended {
  readonly outcome: ProbeOutcome;
  /** Whether the whole answer was read, so the connection can carry the next probe. */
  readonly reusable: boolean;
}

/** One request and its answer, as undici tells them; ends exactly once. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #settings: ProbeSettings;
  readonly #clock: Clock;
  readonly #ended: (ended: Ended) => void;
  readonly #deadline: AwakeDeadline;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** Set when the request is written, that is once connected. */
  #sentMs: number | null = null;
  #roundTripMs: number | null = null;
  #contentType = "";

  constructor(settings: ProbeSettings, clock: Clock, ended: (ended: Ended) => void) {
    this.#settings = settings;
    this.#clock = clock;
    this.#ended = ended;
    const cause = `no answer within ${Math.round(settings.timeoutMs)} ms`;
    this.#deadline = new AwakeDeadline(settings.timeoutMs, clock, () => this.#fail("timeout", cause));
  }

  onRequestStart(): void {
    this.#sentMs = this.#clock.now();
  }

  onResponseStart(_: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200) return;
    if (this.#sentMs !== null) this.#roundTripMs = this.#clock.now() - this.#sentMs;
    this.#contentType = String(headers["content-type"] ?? "");
    if (!this.#settings.expects(status)) this.#fail("status", `status ${status}`);
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BODY_BYTES) this.#fail("body", `body: more than ${MAX_BODY_BYTES} bytes`);
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    const { reported, ignored } = readAnswer(this.#contentType, Buffer.concat(this.#chunks).toString());
    const result = reported.status === "ok" ? "pass" : reported.status;
    this.#end({ result, cause: ignored, roundTripMs: this.#measured(), reported }, true);
  }

  onResponseError(_: unknown, error: Error): void {
    this.#fail(this.#roundTripMs === null ? "connect" : "body", describe(error));
  }

  #measured(): number | null {
    return this.#deadline.stalled ? null : this.#roundTripMs;
  }

  #fail(result: ProbeResult, cause: string): void {
    this.#end({ result, cause, roundTripMs: null, reported: SILENT }, false);
  }

  #end(outcome: ProbeOutcome, reusable: boolean): void {
    this.#deadline.cancel();
    this.#ended({ outcome, reusable });
  }
}

/** `ECONNREFUSED`, `UND_ERR_SOCKET: other side closed`: the code says what, the message the rest. */
function describe(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return error.message === "" || error.message.includes(code)
    ? error.message || code
    : `${code}: ${error.message}`;
}
