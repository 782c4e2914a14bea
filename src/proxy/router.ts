import type { Clock } from "../clock.ts";
import type { PinState, Pins } from "../consistency/pins.ts";
import type { Pid } from "../consistency/store.ts";
import { FAULTS, type Fault } from "../errors.ts";
import type { EventBus } from "../events.ts";
import type { TopologyStore } from "../fleet/topology.ts";
import type { Endpoint, RegionTable } from "../regions/table.ts";
import { decide } from "../routing/decide.ts";
import type { DecisionInputs } from "../routing/decision.ts";
import { pinWindowMs } from "../routing/lag.ts";
import { RetryBudget } from "../routing/retry.ts";
import type { TrafficMeter } from "../routing/traffic.ts";
import { takesWrites } from "../routing/writers.ts";
import type { AttemptResult, Carrier } from "./carrier.ts";
import { positionOf, wroteBy } from "./evidence.ts";
import type { Exchange } from "./exchange.ts";
import { isLoop } from "./headers.ts";
import { isDenied, isHeldBack } from "./held-back.ts";
import { askedPin, type Decided, decideAsking, firstInputs } from "./inputs.ts";
import { attemptsLeft, ENDPOINTS_PER_REGION, mayRepeat, promisesLess, viewOfRetry } from "./retry-plan.ts";
import { TopologyNews } from "./topology-news.ts";
import type { WriteGate } from "./write-gate.ts";

export interface RouterParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  readonly events: EventBus;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly traffic: TrafficMeter;
  readonly topology: Pick<TopologyStore, "refresh">;
  readonly writes: WriteGate;
}

/** After this time from a request's coming "no pin" is not taken for "none when it came". */
const PIN_ASKED_WITHIN_MS = 500;

/** Where to go next, and by which decision. */
type Hop =
  | { readonly decided: Decided; readonly endpoint: Endpoint }
  | { readonly decided: Decided; readonly endpoint: null; readonly fault: Fault };

/** Takes an exchange from its decision to its answer. Holds nothing of any exchange itself. */
export class Router {
  readonly #parts: RouterParts;
  readonly #budget = new RetryBudget();
  readonly #news: TopologyNews;

  constructor(parts: RouterParts) {
    this.#parts = parts;
    this.#news = new TopologyNews(parts);
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
    const { clock, events, table } = this.#parts;
    const arriving = carrier.awaitBody();
    if (arriving !== null) await arriving;
    this.#enterWrite(exchange, carrier);
    this.#budget.request(clock.now());
    let hop = await this.#awaited(exchange, carrier, await this.#firstHop(exchange));
    Object.assign(exchange, hop.decided);
    if (hop.endpoint === null) return hop.fault;
    const unpinned = await this.#openPin(exchange, carrier, hop.endpoint);
    if (unpinned !== null) return unpinned;
    for (;;) {
      if (carrier.gone) return "client_gone";
      const result = await this.#attemptAfresh(exchange, carrier, hop.endpoint);
      const { fault } = result;
      if (fault === "writer_moved") await this.#news.askAgain(exchange.settings.config.failover.holdWrites);
      if (fault === null || !mayRepeat(exchange, carrier, result) || !attemptsLeft(exchange)) return fault;
      const { inputs } = hop.decided;
      const again = await this.#hop(exchange, { ...inputs, view: viewOfRetry(inputs.view, table.view) });
      const next = await this.#awaited(exchange, carrier, again);
      if (isBarred(next)) {
        Object.assign(exchange, next.decided);
        return "residency";
      }
      if (next.endpoint?.region === hop.endpoint.region && fault === "writer_moved") return fault;
      if (next.endpoint === null) return fault;
      // What a busy region has not taken has cost nothing, so it is not of the budget that bounds such costs.
      if (fault !== "region_busy" && !this.#mayRetry(exchange)) return fault;
      if (fault === "region_busy" && promisesLess(next.decided.decision, hop.decided.decision)) return fault;
      events.emit("retried", { fault });
      Object.assign(exchange, next.decided);
      this.#movePin(exchange, hop.endpoint, next.endpoint);
      hop = next;
    }
  }

  /** Whoever moves the write region waits for the end of writes; but a tunnel stays for hours after what may have been one. */
  #enterWrite(exchange: Exchange, { protocol }: Carrier): void {
    if (exchange.writes && protocol !== "websocket") exchange.writeEnded = this.#parts.writes.enter();
  }

  /** Where a request goes that would be refused, once it has waited for what may yet let it be served. */
  async #awaited(exchange: Exchange, carrier: Carrier, found: Hop): Promise<Hop> {
    const { clock } = this.#parts;
    const untilMs = clock.now() + exchange.settings.config.failover.holdWrites;
    let hop = isDenied(found) ? await this.#hopAfterNews(exchange, found) : found;
    while (isHeldBack(hop)) {
      const next = await this.#hopAfterMove(exchange, carrier, hop, untilMs - clock.now());
      if (next === null) return hop;
      hop = isDenied(next) ? await this.#hopAfterNews(exchange, next) : next;
    }
    return hop;
  }

  /** Who would be refused because the write region says that it is none any more may only be asking an edge that is behind. */
  async #hopAfterNews(exchange: Exchange, denied: Hop): Promise<Hop> {
    const { holdWrites } = exchange.settings.config.failover;
    return (await this.#news.askAgain(holdWrites)) ? this.#hopNow(exchange, denied) : denied;
  }

  /** What is held back waits for the end of the move, and is none of the writes that are under way. Null: in vain. */
  async #hopAfterMove(
    exchange: Exchange,
    carrier: Carrier,
    heldBack: Hop,
    waitMs: number,
  ): Promise<Hop | null> {
    exchange.writeEnded();
    const entered = await this.#parts.writes.untilResumed(waitMs, exchange.declaredBytes);
    if (entered === null) return null;
    if (carrier.protocol === "websocket") entered();
    else exchange.writeEnded = entered;
    return this.#hopNow(exchange, heldBack);
  }

  /** Decides anew, by what is known now. What held the user when he came holds him, though it may have ended since. */
  async #hopNow(exchange: Exchange, { decided: { inputs } }: Hop): Promise<Hop> {
    return this.#hopInEpoch(exchange, { ...inputs, tried: [], view: this.#parts.table.view });
  }

  async #firstHop(exchange: Exchange): Promise<Hop> {
    const { reading, settings } = exchange;
    const found = this.#news.viewFor(exchange);
    const view = found instanceof Promise ? await found : found;
    return this.#hopInEpoch(exchange, firstInputs(reading, settings, view, this.#parts.pins));
  }

  /** By a view that knows of the epochs in which the user has written. */
  async #hopInEpoch(exchange: Exchange, by: DecisionInputs): Promise<Hop> {
    const hop = await this.#hop(exchange, by);
    const { inputs } = hop.decided;
    const newer = this.#news.viewBeyond(by.view, inputs.hold);
    return newer === null ? hop : this.#hop(exchange, { ...inputs, view: await newer });
  }

  /** The next endpoint to ask, by a decision that names a region with one; or the decision that refuses. */
  async #hop(exchange: Exchange, inputs: DecisionInputs): Promise<Hop> {
    const ask = async (given: DecisionInputs) => {
      const { clock, pins } = this.#parts;
      const atMs = clock.now();
      const state = await askedPin(exchange.reading, given, pins);
      exchange.pinLookup = { atMs, durationMs: clock.now() - atMs };
      return this.#judged(exchange, state);
    };
    let given: DecisionInputs = { ...inputs, attempts: exchange.attempts.length };
    for (;;) {
      const deciding = decideAsking(given, ask);
      const decided = this.#bounded(exchange, deciding instanceof Promise ? await deciding : deciding);
      const { decision } = decided;
      if (decision.kind === "refused") return { decided, endpoint: null, fault: decision.fault };
      const endpoint = this.#pick(exchange, decision.region);
      if (endpoint !== null) return { decided, endpoint };
      given = { ...decided.inputs, tried: [...decided.inputs.tried, decision.region] };
    }
  }

  /** A pin that is asked for late, because the first attempt has taken long, may have ended while it was under way. */
  #judged({ startedAtMs, reading, attempts }: Exchange, state: PinState): PinState {
    const isLate = attempts.length > 0 && this.#parts.clock.now() - startedAtMs > PIN_ASKED_WITHIN_MS;
    if (state.pin !== "free" || !isLate || reading.pids.read.length === 0) return state;
    return { pin: "waived", hold: null };
  }

  /** One user's pin brings the writer no more reads than the operator lets it. */
  #bounded({ reading }: Exchange, decided: Decided): Decided {
    const { decision, inputs } = decided;
    if (decision.kind === "refused" || decision.reason !== "pin" || inputs.facts.intent !== "read")
      return decided;
    if (this.#parts.pins.bearsRead(reading.pids.read)) return decided;
    const waived: DecisionInputs = { ...inputs, pin: "waived", hold: null };
    return { decision: decide(waived), inputs: waived };
  }

  /** An endpoint of the region that this request has not asked yet; none when the region has been busy. */
  #pick({ attempts }: Exchange, region: string): Endpoint | null {
    const asked = attempts.filter(({ endpoint, result }) => endpoint.region === region && !result.stale);
    const isBusy = asked.some(({ result }) => result.fault === "region_busy");
    if (isBusy || asked.length >= ENDPOINTS_PER_REGION) return null;
    return this.#parts.table.pick(region, new Set(asked.map(({ endpoint }) => endpoint)), this.#parts.chance);
  }

  /**
   * Opens a write's pin before its first attempt: held here at once, and sent to the store beside the request. It
   * is waited for when the operator wants it recorded first, or when the answer's head cannot be held.
   */
  async #openPin(exchange: Exchange, carrier: Carrier, { region }: Endpoint): Promise<Fault | null> {
    const { consistency } = exchange.settings.config;
    if (!exchange.writes || consistency.mode === "off") return null;
    // In mode `cookie` the token is all there is, and nobody would look the name up.
    const unnamed = exchange.reading.pids.write.length === 0 && consistency.mode !== "cookie";
    exchange.anonymous = unnamed ? exchange.settings.identities.newAnonymous() : null;
    exchange.pin = this.#parts.pins.open(writerPids(exchange), region);
    const rejects = consistency.onRedisDown.writes === "reject";
    if (carrier.holdsHead && !rejects) return null;
    if ((await exchange.pin.acknowledged) === "recorded") return null;
    if (rejects) return "pin_unrecorded";
    exchange.consistency = "cookie-only";
    return null;
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
   * An attempt; and if a kept connection died under it, which a region may let it do at any time, another one to the same
   * endpoint over a new connection. It is no reason to go elsewhere, and takes nothing of the retry budget: one region's
   * restart ends a thousand kept connections at once.
   */
  async #attemptAfresh(exchange: Exchange, carrier: Carrier, endpoint: Endpoint): Promise<AttemptResult> {
    const result = await this.#attempt(exchange, carrier, endpoint);
    if (!result.stale || !mayRepeat(exchange, carrier, result)) return result;
    this.#parts.events.emit("retried", { fault: "reset" });
    return this.#attempt(exchange, carrier, endpoint);
  }

  async #attempt(exchange: Exchange, carrier: Carrier, endpoint: Endpoint): Promise<AttemptResult> {
    const { clock, table, traffic } = this.#parts;
    this.#noteWriterLoad(exchange.inputs, endpoint);
    exchange.dispatchedAtMs = clock.now();
    traffic.count(exchange.dispatchedAtMs, endpoint.region, exchange.reading.facts);
    exchange.headAtMs = null;
    table.started(endpoint);
    const result = await carrier.carry(exchange, endpoint).finally(() => table.finished(endpoint));
    exchange.attempts.push({ endpoint, dispatchedAtMs: exchange.dispatchedAtMs, result });
    this.#judge(carrier, endpoint, result);
    return result;
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
  if (isLoop(req, settings.edgeId)) return "loop";
  return proxy.maxBodyBytes > 0 && (declaredBytes ?? 0) > proxy.maxBodyBytes ? "body_too_large" : null;
}
