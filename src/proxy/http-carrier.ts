import type { Clock } from "../clock.ts";
import type { Fault } from "../errors.ts";
import type { RequestRecord } from "../events.ts";
import type { Endpoint } from "../regions/table.ts";
import { RequestBody } from "./body.ts";
import { type AttemptResult, type Carrier, unreached, unsent } from "./carrier.ts";
import type { Exchange } from "./exchange.ts";
import { forward } from "./forward.ts";
import type { Place } from "./gate.ts";
import type { Comer, Gates } from "./gates.ts";
import { isCall, takesTrailers } from "./grpc.ts";
import { ownHeaders, requestHeaders } from "./headers.ts";
import type { InboundRequest, InboundResponse } from "./inbound.ts";
import type { LongLived } from "./long-lived.ts";
import { refuse } from "./refuse.ts";
import { answerHead, type ResponseParts } from "./response.ts";
import { isRepeatable } from "./retry-plan.ts";

/** How long is waited for a body before its request takes a place at a region. Most bodies come with their heads. */
const BODY_WITHIN_MS = 250;
/** After these nobody can be sure where the next request begins, or there is none to come. */
const ENDS_CONNECTION: ReadonlySet<Fault> = new Set(["bad_request", "not_implemented", "request_timeout"]);

export interface HttpCarrierParts extends ResponseParts {
  readonly clock: Clock;
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
  /** Resolves when the response is out, or its connection is gone. */
  readonly closed: Promise<void>;
  bytesOut = 0;
  readonly #req: InboundRequest;
  readonly #res: InboundResponse;
  readonly #parts: HttpCarrierParts;
  /** Who wants to know when the client leaves, or has its answer. */
  readonly #leavers = new Set<() => void>();

  constructor(req: InboundRequest, res: InboundResponse, awaitsContinue: boolean, parts: HttpCarrierParts) {
    this.#req = req;
    this.#res = res;
    this.#parts = parts;
    this.body = new RequestBody(req, res, awaitsContinue);
    this.closed = res.closed
      ? Promise.resolve()
      : new Promise((resolve) => res.once("close", () => this.#gone(resolve)));
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
    return this.body.unread && !this.body.withheld ? this.body.arrive(BODY_WITHIN_MS) : null;
  }

  async carry(exchange: Exchange, endpoint: Endpoint): Promise<AttemptResult> {
    const { gates, clock } = this.#parts;
    const { config } = exchange.settings;
    const refused = (fault: Fault) =>
      unsent(this.gone ? "client_gone" : fault, clock.now() - exchange.dispatchedAtMs);
    const comer: Comer = { arriving: this.body.unread, leaving: this.#leaving };
    const region = gates.enterRegion(endpoint.region, config, comer);
    const inRegion = region instanceof Promise ? await region : region;
    if (inRegion === null) return refused("region_busy");
    try {
      const connection = gates.enterEndpoint(endpoint, config, comer);
      const atEndpoint = connection instanceof Promise ? await connection : connection;
      if (atEndpoint === null) return refused("no_connection");
      try {
        const missing = this.#missed(exchange, endpoint);
        const missed = missing === null ? null : await missing;
        return missed ?? (await this.#forward(exchange, endpoint, [inRegion, atEndpoint]));
      } finally {
        atEndpoint.leave();
        if (this.answered) this.body.discard();
      }
    } finally {
      inRegion.leave();
    }
  }

  refuse(exchange: Exchange, fault: Fault, detail?: string): void {
    // In HTTP/2 what is wrong with one request is nothing to the others of its connection.
    const spoils = this.protocol !== "h2" && (this.body.withheld || ENDS_CONNECTION.has(fault));
    const close = spoils || this.#parts.dismisses();
    refuse(this.#res, fault, exchange.passage.requestId, close, detail);
    if (!close) this.body.discard();
  }

  /** What becomes of it where nobody can be reached; null where somebody can. */
  #missed(exchange: Exchange, { region }: Endpoint): Promise<AttemptResult | null> | null {
    const { table, clock } = this.#parts;
    const { connectTimeout } = exchange.settings.config.proxy;
    const hiding = table.blackHole.hides(region, connectTimeout, this.#leaving);
    return (
      hiding?.then((isHidden) => (isHidden ? unreached(clock.now() - exchange.dispatchedAtMs) : null)) ?? null
    );
  }

  #forward(exchange: Exchange, endpoint: Endpoint, places: readonly Place[]): Promise<AttemptResult> {
    const { method, target, passage, settings } = exchange;
    const { proxy, limits } = settings.config;
    const isHttp2 = endpoint.transport.http2 !== "never";
    const own = ownHeaders(exchange);
    if (isHttp2 && takesTrailers(this.#req)) own.push("te", "trailers");
    const pace = isHttp2 && isCall(this.#req) ? AS_SLOW_AS_IT_LIKES : limits.slowBodies;
    return forward(
      {
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
        leaving: this.#leaving,
        count: (bytes) => {
          this.bytesOut += bytes;
        },
        streams: (close) => this.#parts.streams.add({ region: endpoint.region, close }),
      },
      this.#res,
      this.#parts.clock,
    );
  }

  #gone(resolve: () => void): void {
    resolve();
    for (const listener of this.#leavers) listener();
  }

  readonly #leaving = (listener: () => void): (() => void) => {
    this.#leavers.add(listener);
    return () => void this.#leavers.delete(listener);
  };
}
