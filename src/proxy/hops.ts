import type { Clock } from "../clock.ts";
import type { PinState, Pins } from "../consistency/pins.ts";
import type { Fault } from "../errors.ts";
import type { TopologyStore } from "../fleet/topology.ts";
import type { Endpoint, RegionTable } from "../regions/table.ts";
import { decide } from "../routing/decide.ts";
import type { DecisionInputs } from "../routing/decision.ts";
import type { View } from "../routing/region.ts";
import type { Carrier } from "./carrier.ts";
import type { Exchange } from "./exchange.ts";
import { isDenied, isHeldBack } from "./held-back.ts";
import { askedPin, type Decided, decideAsking, firstInputs } from "./inputs.ts";
import { ENDPOINTS_PER_REGION, viewOfRetry } from "./retry-plan.ts";
import { type Soon, whenKnown } from "./soon.ts";
import { TopologyNews } from "./topology-news.ts";
import type { WriteGate } from "./write-gate.ts";

export interface HopsParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly topology: Pick<TopologyStore, "refresh">;
  readonly writes: WriteGate;
}

/** Where to go next, and by which decision. */
export type Hop =
  | { readonly decided: Decided; readonly endpoint: Endpoint }
  | { readonly decided: Decided; readonly endpoint: null; readonly fault: Fault };

/** After this time from a request's coming "no pin" is not taken for "none when it came". */
const PIN_ASKED_WITHIN_MS = 500;

const NONE_ASKED: ReadonlySet<Endpoint> = new Set();

/** Finds where an exchange goes, first and next. */
export class Hops {
  readonly #parts: HopsParts;
  readonly #news: TopologyNews;

  constructor(parts: HopsParts) {
    this.#parts = parts;
    this.#news = new TopologyNews(parts);
  }

  first(exchange: Exchange, carrier: Carrier): Soon<Hop> {
    const byView = (view: View): Soon<Hop> =>
      this.#hopInEpoch(exchange, firstInputs(exchange.reading, exchange.settings, view, this.#parts.pins));
    const found = whenKnown(this.#news.viewFor(exchange), byView);
    return whenKnown(found, (hop) => this.#awaited(exchange, carrier, hop));
  }

  /** Where it goes after an attempt has failed. */
  next(exchange: Exchange, carrier: Carrier, { inputs }: Decided): Soon<Hop> {
    const view = viewOfRetry(inputs.view, this.#parts.table.view);
    const found = this.#hop(exchange, { ...inputs, view });
    return whenKnown(found, (hop) => this.#awaited(exchange, carrier, hop));
  }

  /** Asks where writes go by now, for a region has said that it takes none any more. */
  askForNews({ settings }: Exchange): Promise<boolean> {
    return this.#news.askAgain(settings.config.failover.holdWrites);
  }

  /** Where a request goes that would be refused, once it has waited for what may yet let it be served. */
  #awaited(exchange: Exchange, carrier: Carrier, found: Hop): Soon<Hop> {
    return isDenied(found) || isHeldBack(found) ? this.#untilServed(exchange, carrier, found) : found;
  }

  async #untilServed(exchange: Exchange, carrier: Carrier, found: Hop): Promise<Hop> {
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
    return (await this.askForNews(exchange)) ? this.#hopNow(exchange, denied) : denied;
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
  #hopNow(exchange: Exchange, { decided: { inputs } }: Hop): Soon<Hop> {
    return this.#hopInEpoch(exchange, { ...inputs, tried: [], view: this.#parts.table.view });
  }

  /** By a view that knows of the epochs in which the user has written. */
  #hopInEpoch(exchange: Exchange, by: DecisionInputs): Soon<Hop> {
    return whenKnown(this.#hop(exchange, by), (hop) => {
      const { inputs } = hop.decided;
      const newer = this.#news.viewBeyond(by.view, inputs.hold);
      return newer === null ? hop : newer.then((view) => this.#hop(exchange, { ...inputs, view }));
    });
  }

  /** The next endpoint to ask, by a decision that names a region with one; or the decision that refuses. */
  #hop(exchange: Exchange, by: DecisionInputs): Soon<Hop> {
    const attempts = exchange.attempts.length;
    const inputs = by.attempts === attempts ? by : { ...by, attempts };
    const ask = (given: DecisionInputs) => this.#askedPin(exchange, given);
    return whenKnown(decideAsking(inputs, ask), (decided) => this.#hopBy(exchange, decided));
  }

  #hopBy(exchange: Exchange, found: Decided): Soon<Hop> {
    const decided = this.#bounded(exchange, found);
    const { decision, inputs } = decided;
    if (decision.kind === "refused") return { decided, endpoint: null, fault: decision.fault };
    const endpoint = this.#pick(exchange, decision.region);
    if (endpoint !== null) return { decided, endpoint };
    return this.#hop(exchange, { ...inputs, tried: [...inputs.tried, decision.region] });
  }

  async #askedPin(exchange: Exchange, given: DecisionInputs): Promise<PinState> {
    const { clock, pins } = this.#parts;
    const atMs = clock.now();
    const state = await askedPin(exchange.reading, given, pins);
    exchange.pinLookup = { atMs, durationMs: clock.now() - atMs };
    return this.#judged(exchange, state);
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
    const { table, chance } = this.#parts;
    if (attempts.length === 0) return table.pick(region, NONE_ASKED, chance);
    const asked = attempts.filter(({ endpoint, result }) => endpoint.region === region && !result.stale);
    const isBusy = asked.some(({ result }) => result.fault === "region_busy");
    if (isBusy || asked.length >= ENDPOINTS_PER_REGION) return null;
    return table.pick(region, new Set(asked.map(({ endpoint }) => endpoint)), chance);
  }
}
