import type { Fault } from "../errors.ts";
import type { RequestRecord } from "../events.ts";
import type { Endpoint } from "../regions/table.ts";
import { RequestBody } from "./body.ts";
import { type AttemptResult, type Carrier, unreached, unsent } from "./carrier.ts";
import type { Exchange } from "./exchange.ts";
import { type Forwarding, type ForwardParts, forward, type Outgoing } from "./forward.ts";
import type { Place } from "./gate.ts";
import type { Comer, Gates } from "./gates.ts";
import { isCall, takesTrailers } from "./grpc.ts";
import { ownHeaders, requestHeaders } from "./headers.ts";
import type { InboundRequest, InboundResponse } from "./inbound.ts";
import type { LongLived } from "./long-lived.ts";
import { refuse } from "./refuse.ts";
import { answerHead, type ResponseParts } from "./response.ts";
import { isRepeatable } from "./retry-plan.ts";
import { type Soon, whenKnown } from "./soon.ts";

/** How long is waited for a body before its request takes a place at a region. Most bodies come with their heads. */
const BODY_WITHIN_MS = 250;
/** After these nobody can be sure where the next request begins, or there is none to come. */
const ENDS_CONNECTION: ReadonlySet<Fault> = new Set(["bad_request", "not_implemented", "request_timeout"]);

export interface HttpCarrierParts extends ResponseParts, ForwardParts {
  readonly gates: Gates;
  /** Event streams that are open. */
  readonly streams: LongLived;
}

/** Then only `proxy.idleTimeout` counts. */
const AS_SLOW_AS_IT_LIKES = { bytesPerSecond: 0, grace: 0 };

const PROTOCOLS: Readonly<Record<string, RequestRecord["protocol"]>> = { "1.0": "http/1.0", "2.0": "h2" };

/** Carries a request: undici to the region, its answer streamed into node:http's response. */
export class HttpCarrier implements Carrier {
  readonly holdsHead = true;
  readonly body: RequestBody;
  bytesOut = 0;
  readonly #req: InboundRequest;
  readonly #res: InboundResponse;
  readonly #parts: HttpCarrierParts;
  #isClosed: boolean;
  /** What is to be done when the response is out, or its connection is gone. */
  #onClosed: (() => void) | null = null;
  #forwarding: Forwarding | null = null;
  /** Who waits for something and gives up when the client leaves. */
  #leavers: Set<() => void> | null = null;

  constructor(req: InboundRequest, res: InboundResponse, awaitsContinue: boolean, parts: HttpCarrierParts) {
    this.#req = req;
    this.#res = res;
    this.#parts = parts;
    this.body = new RequestBody(req, res, awaitsContinue);
    this.#isClosed = res.closed;
    if (!this.#isClosed) res.once("close", () => this.#gone());
  }

  /** Calls back when the response is out, or its connection is gone; at once if that is so already. */
  whenClosed(tell: () => void): void {
    if (this.#isClosed) tell();
    else this.#onClosed = tell;
  }

  get protocol() {
    return PROTOCOLS[this.#req.httpVersion] ?? "http/1.1";
  }

  get gone(): boolean {
    return this.#res.destroyed;
  }

  get answered(): boolean {
    return this.#res.headersSent;
  }

  get status(): number {
    return this.#res.headersSent ? this.#res.statusCode : 499;
  }

  get complete(): boolean {
    return this.#res.writableFinished;
  }

  get bodyStarted(): boolean {
    return this.body.started;
  }

  get bodyKept(): boolean {
    return this.body.kept;
  }

  get bodyUnread(): boolean {
    return this.body.unread;
  }

  get bytesIn(): number {
    return this.body.bytes;
  }

  awaitBody(): Promise<void> | null {
    if (isCall(this.#req)) return null;
    return this.body.present && !this.body.withheld ? this.body.arrive(BODY_WITHIN_MS) : null;
  }

  carry(exchange: Exchange, endpoint: Endpoint): Promise<AttemptResult> {
    const entered = this.#enter(exchange, endpoint);
    if (!(entered instanceof Promise)) return this.#carryBy(entered, exchange, endpoint);
    return entered.then((places) => this.#carryBy(places, exchange, endpoint));
  }

  refuse(exchange: Exchange, fault: Fault, detail?: string): void {
    // In HTTP/2 what is wrong with one request is nothing to the others of its connection.
    const spoils = this.protocol !== "h2" && (this.body.withheld || ENDS_CONNECTION.has(fault));
    const close = spoils || this.#parts.dismisses();
    refuse(this.#res, fault, exchange.passage.requestId, close, detail);
    if (!close) this.body.discard();
  }

  /** Its places at both gates; or why it got none. */
  #enter(exchange: Exchange, endpoint: Endpoint): Soon<readonly Place[] | Fault> {
    const { gates } = this.#parts;
    const { config } = exchange.settings;
    const comer: Comer = { arriving: this.body.unread, leaving: this.#leaving };
    return whenKnown(gates.enterRegion(endpoint.region, config, comer), (inRegion) => {
      if (inRegion === null) return "region_busy";
      return whenKnown(gates.enterEndpoint(endpoint, config, comer), (atEndpoint) => {
        if (atEndpoint !== null) return [atEndpoint, inRegion];
        inRegion.leave();
        return "no_connection";
      });
    });
  }

  #carryBy(places: readonly Place[] | Fault, exchange: Exchange, endpoint: Endpoint): Promise<AttemptResult> {
    const { table, clock } = this.#parts;
    const tookMs = () => clock.now() - exchange.dispatchedAtMs;
    if (typeof places === "string")
      return Promise.resolve(unsent(this.gone ? "client_gone" : places, tookMs()));
    const { connectTimeout } = exchange.settings.config.proxy;
    const hiding = table.blackHole.hides(endpoint.region, connectTimeout, this.#leaving);
    if (hiding === null) return this.#forward(exchange, endpoint, places);
    return hiding.then((isHidden) => {
      if (!isHidden) return this.#forward(exchange, endpoint, places);
      for (const place of places) place.leave();
      return unreached(tookMs());
    });
  }

  #forward(exchange: Exchange, endpoint: Endpoint, places: readonly Place[]): Promise<AttemptResult> {
    return new Promise((resolve, reject) => {
      try {
        const outgoing = this.#outgoing(exchange, endpoint, places);
        this.#forwarding = forward(outgoing, this.#res, this.#parts, resolve);
      } catch (error) {
        for (const place of places) place.leave();
        reject(error);
      }
    });
  }

  #outgoing(exchange: Exchange, endpoint: Endpoint, places: readonly Place[]): Outgoing {
    const { method, target, passage, settings } = exchange;
    const { proxy, limits } = settings.config;
    const isHttp2 = endpoint.transport.http2 !== "never";
    const own = ownHeaders(exchange);
    if (isHttp2 && takesTrailers(this.#req)) own.push("te", "trailers");
    const pace = isHttp2 && isCall(this.#req) ? AS_SLOW_AS_IT_LIKES : limits.slowBodies;
    return {
      dispatcher: endpoint.dispatcher,
      method,
      url: target.url,
      headers: requestHeaders(this.#req, passage, own),
      body: this.body,
      upload: this.body.present
        ? {
            limitBytes: proxy.maxBodyBytes,
            pace: { idleMs: proxy.idleTimeout, graceMs: pace.grace, bytesPerSecond: pace.bytesPerSecond },
            places,
          }
        : null,
      cutWhenGone: isRepeatable(exchange),
      fresh: exchange.attempts.at(-1)?.result.stale ?? false,
      servername: endpoint.transport.servername,
      responseTimeoutMs: proxy.responseTimeout,
      idleTimeoutMs: proxy.idleTimeout,
      places,
      head: (region) => answerHead(exchange, region, this.#parts),
      count: (bytes) => {
        this.bytesOut += bytes;
      },
      streams: (close) => this.#parts.streams.add({ region: endpoint.region, close }),
    };
  }

  #gone(): void {
    this.#isClosed = true;
    this.#forwarding?.clientLeft();
    for (const listener of this.#leavers ?? []) listener();
    this.#onClosed?.();
  }

  readonly #leaving = (listener: () => void): (() => void) => {
    this.#leavers ??= new Set();
    this.#leavers.add(listener);
    return () => void this.#leavers?.delete(listener);
  };
}
