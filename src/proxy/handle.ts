import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { Pins } from "../consistency/pins.ts";
import { FAULTS, type Fault } from "../errors.ts";
import type { EventBus } from "../events.ts";
import type { Endpoint, RegionTable } from "../regions/table.ts";
import { type DecisionInputs, decide, type Routed } from "../routing/decide.ts";
import { isSafe } from "../routing/intent.ts";
import { RetryBudget } from "../routing/retry.ts";
import { takesWrites } from "../routing/writers.ts";
import { RequestBody } from "./body.ts";
import { Exchange } from "./exchange.ts";
import { type AttemptResult, forward, servernameOf } from "./forward.ts";
import { isLoop, readPassage, requestHeaders } from "./headers.ts";
import { decisionInputs } from "./inputs.ts";
import { readRequest } from "./reading.ts";
import { refuse } from "./refuse.ts";
import { editHead, type Writing } from "./response.ts";
import { attemptsLeft, ENDPOINTS_PER_REGION, mayRepeat } from "./retry-plan.ts";
import type { Sessions } from "./sessions.ts";
import type { Settings } from "./settings.ts";
import { readTarget, type Target } from "./target.ts";

export interface ProxyParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  readonly events: EventBus;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly sessions: Sessions;
  /** What is in force; a request asks once. */
  readonly settings: () => Settings;
  readonly stopping: () => boolean;
}

/** The life of a request: read, decide, attempt, answer. Holds nothing of any request itself. */
export class RequestHandler {
  readonly #parts: ProxyParts;
  readonly #budget = new RetryBudget();

  constructor(parts: ProxyParts) {
    this.#parts = parts;
  }

  /** One request from its head to its end. Never throws and never rejects; emits `requestDone` exactly once. */
  async handle(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): Promise<void> {
    const exchange = this.#begin(req, res, awaitsContinue);
    if (exchange === null) return;
    const closed = res.closed ? Promise.resolve() : once(res, "close").catch(() => undefined);
    try {
      await this.#serve(exchange);
    } catch (error) {
      this.#parts.events.emit("failed", { where: "request", error: error as Error });
      this.#refuse(exchange, "internal");
    }
    await closed;
    this.#parts.events.emit("requestDone", exchange.record(this.#parts.clock.now()));
  }

  /** What this edge would decide a described request by, asking the pin store where the request would. */
  async inputs(method: string, target: string, headers: IncomingHttpHeaders): Promise<DecisionInputs> {
    const settings = this.#parts.settings();
    const path = target.split("?", 1)[0] ?? target;
    const reading = readRequest(method, path, headers, settings, this.#parts.chance());
    return decisionInputs(reading, settings, this.#parts.table.view, this.#parts.pins);
  }

  /** Reads the head; answers at once, and returns null, when it is not one that may be routed. */
  #begin(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): Exchange | null {
    const { clock, chance, settings: inForce } = this.#parts;
    const startedAtMs = clock.now();
    const settings = inForce();
    const target = readTarget(req);
    const known: Target = typeof target === "string" ? { url: "/", path: "/", host: "" } : target;
    const trusted = settings.trusted.trusts(req.socket.remoteAddress);
    const exchange = new Exchange(clock, {
      req,
      res,
      settings,
      startedAtMs,
      target: known,
      passage: readPassage(req, known.host, trusted, settings.edgeId),
      reading: readRequest(req.method ?? "GET", known.path, req.headers, settings, chance()),
      body: new RequestBody(req, res, settings.config.proxy.maxBodyBytes, awaitsContinue),
    });
    const problem = typeof target === "string" ? target : null;
    const fault = problem ? "bad_request" : faultBeforeRouting(exchange);
    if (fault === null) return exchange;
    res.once("close", () => this.#parts.events.emit("requestDone", exchange.record(clock.now())));
    this.#refuse(exchange, fault, problem ?? undefined);
    return null;
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { clock, table, pins } = this.#parts;
    this.#budget.request(clock.now());
    const inputs = decisionInputs(exchange.reading, exchange.settings, table.view, pins);
    exchange.inputs = inputs instanceof Promise ? await inputs : inputs;
    const writing: Writing = { pin: null, anonymous: null, wrote: null };
    try {
      await this.#route(exchange, exchange.inputs, writing);
    } finally {
      settle(exchange, writing);
    }
  }

  /** Decides, attempts, and decides again without what failed, until there is an answer or nothing left to try. */
  async #route(exchange: Exchange, first: DecisionInputs, writing: Writing): Promise<void> {
    let inputs = first;
    for (;;) {
      exchange.inputs = inputs;
      const decision = decide(inputs);
      exchange.decision = decision;
      if (decision.kind === "refused") return this.#refuse(exchange, lastFault(exchange) ?? decision.fault);

      const endpoint = this.#pick(exchange, decision);
      if (endpoint === null) {
        inputs = { ...inputs, tried: [...inputs.tried, decision.region] };
        continue;
      }
      if (!(await this.#openPin(exchange, writing))) return this.#refuse(exchange, "pin_unrecorded");
      const result = await this.#attempt(exchange, endpoint, writing);
      if (result.fault === null || result.status !== null) {
        exchange.fault = result.fault;
        return;
      }
      if (!this.#retry(exchange, result)) return this.#refuse(exchange, result.fault);
    }
  }

  /** An endpoint of the decided region that this request has not asked yet. */
  #pick({ attempts }: Exchange, { region }: Routed): Endpoint | null {
    const asked = attempts.filter((attempt) => attempt.endpoint.region === region);
    if (asked.length >= ENDPOINTS_PER_REGION) return null;
    return this.#parts.table.pick(region, new Set(asked.map(({ endpoint }) => endpoint)), this.#parts.chance);
  }

  /** Opens a write's pin before its first attempt; false when the operator wants it recorded first and it is not. */
  async #openPin(exchange: Exchange, writing: Writing): Promise<boolean> {
    const { consistency } = exchange.settings.config;
    const { facts, pids } = exchange.reading;
    if (facts.intent !== "write" || consistency.mode === "off" || writing.pin !== null) return true;
    writing.anonymous = pids.write.length === 0 ? exchange.settings.identities.newAnonymous() : null;
    writing.pin = this.#parts.pins.open((writing.anonymous?.pids ?? pids).write);
    if (consistency.onRedisDown.writes !== "reject") return true;
    return (await writing.pin.acknowledged) === "recorded";
  }

  async #attempt(exchange: Exchange, endpoint: Endpoint, writing: Writing): Promise<AttemptResult> {
    const { clock, table } = this.#parts;
    const { settings, method, target, passage, body, req, res } = exchange;
    const { proxy } = settings.config;
    const own = ["x-meridian-edge", settings.edgeId];
    if (exchange.reading.facts.intent === "write" || !isSafe(method)) {
      own.push("x-meridian-write-epoch", String(exchange.inputs?.view.epoch ?? 0));
    }
    this.#noteWriterLoad(exchange.inputs, endpoint);
    exchange.dispatches += 1;
    exchange.dispatchedAtMs = clock.now();
    table.started(endpoint);
    const result = await forward(
      {
        dispatcher: endpoint.dispatcher,
        method,
        url: target.url,
        headers: requestHeaders(req, passage, own),
        body,
        safe: isRepeatable(exchange),
        servername: servernameOf(endpoint.origin),
        responseTimeoutMs: proxy.responseTimeout,
        idleTimeoutMs: proxy.idleTimeout,
      },
      res,
      (_status, head) => editHead(exchange, writing, head, this.#parts),
      clock,
    );
    table.finished(endpoint);
    exchange.attempts.push({ endpoint, result });
    this.#judge(endpoint, result);
    return result;
  }

  /** The writer's normal load is what bounds the readers sent there for caution's sake when Redis is away. */
  #noteWriterLoad(inputs: DecisionInputs | null, { region }: Endpoint): void {
    const known = inputs?.view.byId.get(region);
    if (inputs === null || known === undefined || inputs.pin === "unknown") return;
    if (takesWrites(known, inputs.view, inputs.rules)) this.#parts.pins.noteWriterRequest();
  }

  /** Passive health: what real traffic saw. A fault that is the client's says nothing about the region. */
  #judge(endpoint: Endpoint, { fault, status }: AttemptResult): void {
    const { table } = this.#parts;
    if (fault !== null && FAULTS[fault].owner === "region") table.failed(endpoint, fault);
    else if (status !== null) table.succeeded(endpoint);
  }

  #retry(exchange: Exchange, result: AttemptResult): boolean {
    const { clock, events } = this.#parts;
    const { proxy } = exchange.settings.config;
    const request = { safe: isRepeatable(exchange), bodyStarted: exchange.body.started };
    const made = exchange.attempts.map((attempt) => attempt.result);
    if (exchange.res.destroyed || result.fault === null) return false;
    if (!mayRepeat(request, result) || !attemptsLeft(made, proxy.attempts)) return false;
    if (!this.#budget.take(clock.now(), proxy.retryBudget)) {
      events.emit("retryBudgetExhausted", {});
      return false;
    }
    events.emit("retried", { fault: result.fault });
    return true;
  }

  #refuse(exchange: Exchange, fault: Fault, detail?: string): void {
    const { res, passage, body } = exchange;
    exchange.fault = fault;
    refuse(res, fault, passage.requestId, body.unread || this.#parts.stopping(), detail);
  }
}

/** What can be said of a request before anybody is asked to serve it. */
function faultBeforeRouting({ req, settings, body }: Exchange): Fault | null {
  if (isLoop(req, settings.edgeId)) return "loop";
  if (body.declaredTooLarge) return "body_too_large";
  // RFC 9112 §6.1: faulty framing; the connection cannot be trusted after it.
  if (req.httpVersion === "1.0" && req.headers["transfer-encoding"] !== undefined) return "bad_request";
  return null;
}

/** Asking twice does no harm: a safe method that no rule calls a write. */
function isRepeatable({ method, reading }: Exchange): boolean {
  return isSafe(method) && reading.facts.intent !== "write";
}

function lastFault({ attempts }: Exchange): Fault | null {
  return attempts.at(-1)?.result.fault ?? null;
}

/**
 * Closes a write's pin by what is known of the write. A time-out, a reset or a 5xx says nothing: the intent then
 * lives out its time.
 */
function settle(exchange: Exchange, { pin, wrote }: Writing): void {
  if (pin === null) return;
  const last = exchange.attempts.at(-1)?.result;
  if (last === undefined || (last.status === null && !last.sent)) pin.settle("notWritten");
  else if (last.fault !== null || last.status === null || last.status >= 500) pin.settle("unknown");
  else if (wrote === false) pin.settle("notWritten");
  else pin.settle("committed", exchange.pinWindowMs);
}
