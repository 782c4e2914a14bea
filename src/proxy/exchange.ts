import type { Clock } from "../clock.ts";
import type { Anonymous } from "../consistency/identities.ts";
import type { OpenPin } from "../consistency/pins.ts";
import type { Fault } from "../errors.ts";
import type { AffinityResult, Attempt, Consistency, RequestRecord } from "../events.ts";
import type { Endpoint } from "../regions/table.ts";
import type { Decision, DecisionInputs } from "../routing/decision.ts";
import type { Position } from "../routing/position.ts";
import type { AttemptResult, Carrier } from "./carrier.ts";
import { clientAddress } from "./client-address.ts";
import { type Passage, readPassage } from "./headers.ts";
import type { InboundRequest } from "./inbound.ts";
import type { Decided } from "./inputs.ts";
import { type Objection, objectionTo } from "./objection.ts";
import { type Reading, readRequest } from "./reading.ts";
import type { Settings } from "./settings.ts";
import { readTarget, type Target } from "./target.ts";

const NOWHERE: Target = { url: "/", path: "/", host: "" };

/** One request or upgrade from its head to its end: what it is, and what has become of it so far. */
export class Exchange {
  readonly req: InboundRequest;
  readonly settings: Settings;
  readonly target: Target;
  /** Why it is refused before anything is decided; null when it is not. */
  readonly objection: Objection | null;
  readonly passage: Passage;
  readonly reading: Reading;
  readonly startedAtMs: number;
  readonly #startedAtWallMs: number;

  inputs: DecisionInputs | null = null;
  decision: Decision | null = null;
  readonly attempts: {
    readonly endpoint: Endpoint;
    readonly dispatchedAtMs: number;
    readonly result: AttemptResult;
  }[] = [];
  /** When the store was asked for the pin; null when it was not. */
  pinLookup: { readonly atMs: number; readonly durationMs: number } | null = null;
  dispatchedAtMs = 0;
  /** When the head of the running attempt came; null before. */
  headAtMs: number | null = null;
  /** The pin of this write; null for a read that has not said it wrote. */
  pin: OpenPin | null = null;
  /** Says that no region executes this write any more, or never did. */
  writeEnded: () => void = () => {};
  /** The name given to a browser that had none. */
  anonymous: Anonymous | null = null;
  /** What the region said in `x-meridian-wrote`; null when nothing. */
  wrote: boolean | null = null;
  /** Where the region said that the write stands; null when it did not. */
  position: Position | null = null;
  fault: Fault | null = null;
  consistency: Consistency | null = null;
  affinity: AffinityResult = "none";

  /** @param chance uniform in [0, 1) */
  constructor(req: InboundRequest, settings: Settings, clock: Clock, chance: number) {
    this.req = req;
    this.settings = settings;
    this.startedAtMs = clock.now();
    this.#startedAtWallMs = clock.wall();
    const target = readTarget(req);
    this.objection = typeof target === "string" ? { fault: "bad_request", detail: target } : objectionTo(req);
    this.target = typeof target === "string" ? NOWHERE : target;
    const trusted = settings.trusted.trusts(clientAddress(req.socket));
    this.passage = readPassage(req, this.target.host, trusted, settings);
    this.reading = readRequest(this.method, this.target.path, req.headers, settings, chance);
  }

  /** From here on it goes by this decision. */
  follow({ decision, inputs }: Decided): void {
    this.decision = decision;
    this.inputs = inputs;
  }

  get method(): string {
    return this.req.method ?? "GET";
  }

  /** Of the body, as the client has announced them; null when it has not. */
  get declaredBytes(): number | null {
    const { "content-length": length, "transfer-encoding": encoding } = this.req.headers;
    if (encoding !== undefined || (length === undefined && this.req.hasBody === true)) return null;
    return Number(length ?? 0);
  }

  get secure(): boolean {
    return this.passage.proto === "https";
  }

  get writes(): boolean {
    return this.reading.facts.intent === "write";
  }

  /** What is told of it when it is over. */
  record(carrier: Carrier, endedAtMs: number): RequestRecord {
    const upstreamMs = this.attempts.at(-1)?.result.durationMs ?? null;
    const answeredAtMs = this.headAtMs ?? endedAtMs;
    const routed = this.decision?.kind === "routed" ? this.decision : null;
    return {
      id: this.passage.requestId,
      startedAtWallMs: this.#startedAtWallMs,
      method: this.method,
      path: this.target.path,
      protocol: carrier.protocol,
      status: carrier.status,
      region: routed?.region ?? null,
      reason: routed?.reason ?? null,
      fault: this.fault,
      attempts: this.attempts.map((attempt) => described(attempt, this.startedAtMs)),
      durationMs: endedAtMs - this.startedAtMs,
      upstreamMs,
      overheadMs: Math.max(0, answeredAtMs - this.startedAtMs - (upstreamMs ?? 0)),
      bytesIn: carrier.bytesIn,
      bytesOut: carrier.bytesOut,
      pin: this.inputs?.pin ?? "free",
      pinLookup: lookedUp(this.pinLookup, this.startedAtMs),
      consistency: this.consistency,
      affinity: this.affinity,
      complete: carrier.complete,
      trace: this.passage.trace,
      decision: this.decision,
      inputs: this.inputs,
    };
  }
}

function lookedUp(lookup: Exchange["pinLookup"], cameAtMs: number): RequestRecord["pinLookup"] {
  return lookup && { startedMs: lookup.atMs - cameAtMs, durationMs: lookup.durationMs };
}

function described(attempt: Exchange["attempts"][number], cameAtMs: number): Attempt {
  const { endpoint, dispatchedAtMs, result } = attempt;
  return {
    region: endpoint.region,
    endpoint: endpoint.origin,
    outcome: result.fault ?? result.status ?? "reset",
    startedMs: dispatchedAtMs - cameAtMs,
    durationMs: result.durationMs,
  };
}
