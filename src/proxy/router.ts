import type { Pid } from "../consistency/store.ts";
import { FAULTS, type Fault } from "../errors.ts";
import type { EventBus } from "../events.ts";
import type { Endpoint } from "../regions/table.ts";
import type { DecisionInputs } from "../routing/decision.ts";
import { pinWindowMs } from "../routing/lag.ts";
import { RetryBudget } from "../routing/retry.ts";
import type { TrafficMeter } from "../routing/traffic.ts";
import { takesWrites } from "../routing/writers.ts";
import type { AttemptResult, Carrier } from "./carrier.ts";
import { positionOf, wroteBy } from "./evidence.ts";
import type { Exchange } from "./exchange.ts";
import { isLoop } from "./headers.ts";
import { type Hop, Hops, type HopsParts } from "./hops.ts";
import { attemptsLeft, mayRepeat, promisesLess } from "./retry-plan.ts";
import type { Soon } from "./soon.ts";

export interface RouterParts extends HopsParts {
  readonly events: EventBus;
  readonly traffic: TrafficMeter;
}

/** Takes an exchange from its decision to its answer. Holds nothing of any exchange itself. */
export class Router {
  readonly #parts: RouterParts;
  readonly #budget = new RetryBudget();
  readonly #hops: Hops;

  constructor(parts: RouterParts) {
    this.#parts = parts;
    this.#hops = new Hops(parts);
  }

  /** Resolves when it is answered, or nobody is left to answer. Never rejects. */
  async route(exchange: Exchange, carrier: Carrier): Promise<void> {
    try {
      exchange.fault = faultBeforeRouting(exchange) ?? (await this.#serve(exchange, carrier));
    } catch (error) {
      this.#parts.events.emit("failed", { where: "routing", error: error as Error });
      exchange.fault = "internal";
    }
    exchange.writeEnded();
    this.#settlePin(exchange);
    if (exchange.fault === null || carrier.answered || carrier.gone) return;
    carrier.refuse(exchange, exchange.fault, exchange.objection?.detail);
  }

  /** Decides, attempts, and decides again without what failed, until there is an answer or nothing left to try. */
  async #serve(exchange: Exchange, carrier: Carrier): Promise<Fault | null> {
    const { clock, events } = this.#parts;
    const arriving = carrier.awaitBody();
    if (arriving !== null) await arriving;
    this.#enterWrite(exchange, carrier);
    this.#budget.request(clock.now());
    const first = this.#hops.first(exchange, carrier);
    let hop = first instanceof Promise ? await first : first;
    exchange.follow(hop.decided);
    if (hop.endpoint === null) return hop.fault;
    const opening = this.#openPin(exchange, carrier, hop.endpoint);
    const unpinned = opening instanceof Promise ? await opening : opening;
    if (unpinned !== null) return unpinned;
    for (;;) {
      if (carrier.gone) return "client_gone";
      let result = await this.#attempt(exchange, carrier, hop.endpoint);
      if (result.stale && mayRepeat(exchange, carrier, result))
        result = await this.#attemptAfresh(exchange, carrier, hop.endpoint);
      const { fault } = result;
      if (fault === null) return null;
      if (fault === "writer_moved") await this.#hops.askForNews(exchange);
      if (!mayRepeat(exchange, carrier, result) || !attemptsLeft(exchange)) return fault;
      const next = await this.#hops.next(exchange, carrier, hop.decided);
      if (isBarred(next)) {
        exchange.follow(next.decided);
        return "residency";
      }
      if (next.endpoint?.region === hop.endpoint.region && fault === "writer_moved") return fault;
      if (next.endpoint === null) return fault;
      // What a busy region has not taken has cost nothing, so it is not of the budget that bounds such costs.
      if (fault !== "region_busy" && !this.#mayRetry(exchange)) return fault;
      if (fault === "region_busy" && promisesLess(next.decided.decision, hop.decided.decision)) return fault;
      events.emit("retried", { fault });
      exchange.follow(next.decided);
      this.#movePin(exchange, hop.endpoint, next.endpoint);
      hop = next;
    }
  }

  /** Whoever moves the write region waits for the end of writes; but a tunnel stays for hours after what may have been one. */
  #enterWrite(exchange: Exchange, { protocol }: Carrier): void {
    if (exchange.writes && protocol !== "websocket") exchange.writeEnded = this.#parts.writes.enter();
  }

  /**
   * Opens a write's pin before its first attempt: held here at once, and sent to the store beside the request. It
   * is waited for when the operator wants it recorded first, or when the answer's head cannot be held.
   */
  #openPin(exchange: Exchange, carrier: Carrier, { region }: Endpoint): Soon<Fault | null> {
    const { consistency } = exchange.settings.config;
    if (!exchange.writes || consistency.mode === "off") return null;
    // In mode `cookie` the token is all there is, and nobody would look the name up.
    const unnamed = exchange.reading.pids.write.length === 0 && consistency.mode !== "cookie";
    exchange.anonymous = unnamed ? exchange.settings.identities.newAnonymous() : null;
    exchange.pin = this.#parts.pins.open(writerPids(exchange), region);
    const rejects = consistency.onRedisDown.writes === "reject";
    if (carrier.holdsHead && !rejects) return null;
    return exchange.pin.acknowledged.then((acknowledged) => {
      if (acknowledged === "recorded") return null;
      if (rejects) return "pin_unrecorded";
      exchange.consistency = "cookie-only";
      return null;
    });
  }

  /**
   * A write that is made elsewhere than was thought was not made there: only then is it tried again. Where one region
   * takes writes its pin, which may have been waited for, names none and holds on.
   */
  #movePin(exchange: Exchange, from: Endpoint, to: Endpoint): void {
    if (exchange.pin === null || from.region === to.region) return;
    if (exchange.settings.rules.topology === "single-writer") return;
    const moved = this.#parts.pins.open(writerPids(exchange), to.region);
    exchange.pin.settle("notWritten");
    exchange.pin = moved;
  }

  /**
   * Another attempt at the same endpoint, over a new connection: a kept one died under the first, which a region may let it do at
   * any time. It is no reason to go elsewhere, and takes nothing of the retry budget: one region's restart ends a thousand kept
   * connections at once.
   */
  #attemptAfresh(exchange: Exchange, carrier: Carrier, endpoint: Endpoint): Promise<AttemptResult> {
    this.#parts.events.emit("retried", { fault: "reset" });
    return this.#attempt(exchange, carrier, endpoint);
  }

  #attempt(exchange: Exchange, carrier: Carrier, endpoint: Endpoint): Promise<AttemptResult> {
    const { clock, table, traffic } = this.#parts;
    this.#noteWriterLoad(exchange.inputs, endpoint);
    exchange.dispatchedAtMs = clock.now();
    traffic.count(exchange.dispatchedAtMs, endpoint.region, exchange.reading.facts);
    exchange.headAtMs = null;
    table.started(endpoint);
    return carrier.carry(exchange, endpoint).then(
      (result) => {
        table.finished(endpoint);
        exchange.attempts.push({ endpoint, dispatchedAtMs: exchange.dispatchedAtMs, result });
        this.#judge(carrier, endpoint, result);
        return result;
      },
      (error) => {
        table.finished(endpoint);
        throw error;
      },
    );
  }

  /** The writer's normal load is what bounds the readers sent there for caution's sake when Redis is away. */
  #noteWriterLoad(inputs: DecisionInputs | null, { region }: Endpoint): void {
    const known = inputs?.view.byId.get(region);
    if (inputs === null || known === undefined || isBlindlyPinned(inputs)) return;
    if (takesWrites(known, inputs.view, inputs.rules)) this.#parts.pins.noteWriterRequest();
  }

  /**
   * Passive health: what real traffic saw. A fault that is the client's or ours says nothing about the region; one that
   * cuts an upload off may only mean to refuse it; and silence in a body may be all that an event stream has to say.
   */
  #judge(carrier: Carrier, endpoint: Endpoint, { fault, status, stale }: AttemptResult): void {
    const { table } = this.#parts;
    const blamed = fault !== null && FAULTS[fault].owner === "region";
    const refuses = fault === "reset" && carrier.bodyUnread;
    const isSilent = fault === "response_timeout" && status !== null;
    const counts = !stale && !refuses && !isSilent;
    if (blamed) table.failed(endpoint, fault, { counts });
    else if (status !== null) table.succeeded(endpoint);
  }

  #mayRetry({ settings }: Exchange): boolean {
    const { clock, events } = this.#parts;
    if (this.#budget.take(clock.now(), settings.config.proxy.retryBudget)) return true;
    events.emit("retryBudgetExhausted", {});
    return false;
  }

  /**
   * Closes a write's pin by what is known of the write. A time-out, a reset or a 5xx says nothing: the intent then
   * lives out its time.
   */
  #settlePin(exchange: Exchange): void {
    const { pin, attempts, settings, fault } = exchange;
    if (pin === null) return;
    const { graceWindow } = settings.config.consistency;
    const last = attempts.at(-1)?.result;
    if (fault === "internal") pin.settle("unknown");
    else if (last?.fault === "writer_moved") pin.settle("notWritten");
    else if (last === undefined || (last.status === null && !last.sent)) pin.settle("notWritten");
    else if (last.fault !== null || last.status === null || last.status >= 500) pin.settle("unknown");
    else if (!wroteBy(exchange, last.status)) pin.settle("notWritten");
    else {
      const windowMs = pinWindowMs(graceWindow, this.#parts.table.view, settings.rules);
      pin.settle("committed", { windowMs, position: positionOf(exchange) });
    }
  }
}

/** Whom a write pins: who sent it, or the browser that was named for it. */
function writerPids({ anonymous, reading }: Exchange): readonly Pid[] {
  return (anonymous?.pids ?? reading.pids).write;
}

/** Somebody else could be asked, did the law not forbid it: that is what this request fails for. */
function isBarred(hop: Hop): boolean {
  return hop.endpoint === null && hop.fault === "residency";
}

/** Whether the writer was chosen only because nobody knows whether the user is pinned. */
function isBlindlyPinned({ pin, hold }: DecisionInputs): boolean {
  return pin === "unknown" && hold === null;
}

/** What can be said of a request before anybody is asked to serve it. */
export function faultBeforeRouting({ req, objection, settings, declaredBytes }: Exchange): Fault | null {
  const { limits, proxy } = settings.config;
  if ((req.url?.length ?? 0) > limits.maxUrlBytes) return "url_too_long";
  if (objection !== null) return objection.fault;
  if (isLoop(req, settings)) return "loop";
  return proxy.maxBodyBytes > 0 && (declaredBytes ?? 0) > proxy.maxBodyBytes ? "body_too_large" : null;
}
