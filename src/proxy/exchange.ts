import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { Fault } from "../errors.ts";
import type { AffinityResult, Attempt, Consistency, RequestRecord } from "../events.ts";
import type { Endpoint } from "../regions/table.ts";
import type { Decision, DecisionInputs, PinReading, Reason } from "../routing/decide.ts";
import { pinWindowMs } from "../routing/lag.ts";
import type { RequestBody } from "./body.ts";
import type { AttemptResult } from "./forward.ts";
import type { Passage } from "./headers.ts";
import type { Reading } from "./reading.ts";
import type { Settings } from "./settings.ts";
import type { Target } from "./target.ts";

/** One request from its head to its end: what it is, and what has become of it so far. */
export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly settings: Settings;
  readonly target: Target;
  readonly passage: Passage;
  readonly reading: Reading;
  readonly body: RequestBody;
  readonly startedAtMs: number;
  readonly #startedAtWallMs: number;

  /** Attempts begun, the running one included. */
  dispatches = 0;
  dispatchedAtMs = 0;
  /** When the head of the running attempt came. */
  headAtMs = 0;
  inputs: DecisionInputs | null = null;
  decision: Decision | null = null;
  fault: Fault | null = null;
  consistency: Consistency | null = null;
  affinity: AffinityResult = "none";
  /** Each attempt's endpoint and end, in order. */
  readonly attempts: { readonly endpoint: Endpoint; readonly result: AttemptResult }[] = [];

  constructor(
    clock: Clock,
    parts: Pick<
      Exchange,
      "req" | "res" | "settings" | "target" | "passage" | "reading" | "body" | "startedAtMs"
    >,
  ) {
    this.req = parts.req;
    this.res = parts.res;
    this.settings = parts.settings;
    this.target = parts.target;
    this.passage = parts.passage;
    this.reading = parts.reading;
    this.body = parts.body;
    this.startedAtMs = parts.startedAtMs;
    this.#startedAtWallMs = clock.wall();
  }

  get method(): string {
    return this.req.method ?? "GET";
  }

  get secure(): boolean {
    return this.passage.proto === "https";
  }

  /** The word for why it went where it went; a second attempt is a retry wherever it goes. */
  get reason(): Reason | null {
    if (this.decision?.kind !== "routed") return null;
    return this.dispatches > 1 && this.decision.reason !== "last-resort" ? "retry" : this.decision.reason;
  }

  /** How long this user stays with the writer after this request, if it wrote. */
  get pinWindowMs(): number {
    const { config, rules } = this.settings;
    const { graceWindow } = config.consistency;
    return this.inputs === null ? graceWindow : pinWindowMs(graceWindow, this.inputs.view, rules);
  }

  get pin(): PinReading {
    return this.inputs?.pin ?? "free";
  }

  /** What is told of it when it is over. */
  record(endedAtMs: number): RequestRecord {
    const last = this.attempts.at(-1)?.result ?? null;
    const upstreamMs = last?.durationMs ?? null;
    const headAtMs = last?.headAtMs ?? endedAtMs;
    return {
      id: this.passage.requestId,
      startedAtWallMs: this.#startedAtWallMs,
      method: this.method,
      path: this.target.path,
      protocol: this.req.httpVersion === "1.0" ? "http/1.0" : "http/1.1",
      status: this.res.headersSent ? this.res.statusCode : 499,
      region: this.decision?.kind === "routed" ? this.decision.region : null,
      reason: this.reason,
      fault: this.fault,
      attempts: this.attempts.map(described),
      durationMs: endedAtMs - this.startedAtMs,
      upstreamMs,
      overheadMs: Math.max(0, headAtMs - this.startedAtMs - (upstreamMs ?? 0)),
      bytesIn: this.body.bytes,
      bytesOut: last?.bytes ?? 0,
      pin: this.pin,
      consistency: this.consistency,
      affinity: this.affinity,
      complete: this.res.writableFinished,
      decision: this.decision,
      inputs: this.inputs,
    };
  }
}

function described({ endpoint, result }: Exchange["attempts"][number]): Attempt {
  return {
    region: endpoint.region,
    endpoint: endpoint.origin,
    outcome: result.fault ?? result.status ?? "reset",
    durationMs: result.durationMs,
  };
}
