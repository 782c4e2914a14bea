import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { createProxyServer } from "http-proxy";
import type { Clock } from "../clock.ts";
import { FAULTS, type Fault } from "../errors.ts";
import type { EventBus } from "../events.ts";
import type { Endpoint, RegionTable } from "../regions/table.ts";
import { settleAffinity } from "./affinity-cookie.ts";
import { type AttemptResult, type Carrier, unreached, unsent } from "./carrier.ts";
import { connectTo, MadeConnection } from "./connect.ts";
import { Exchange } from "./exchange.ts";
import { Farewell } from "./farewell.ts";
import { BadHead, causeOf, faultOf } from "./faults.ts";
import { ownHeaders, requestHeaders } from "./headers.ts";
import { LongLived, type LongLivedParts } from "./long-lived.ts";
import { isPinRequest } from "./pin-request.ts";
import { lingerThenDestroy, refuseSocket } from "./refuse.ts";
import type { Router } from "./router.ts";
import type { Sessions } from "./sessions.ts";
import type { Settings } from "./settings.ts";

export interface TunnelParts extends LongLivedParts {
  readonly events: EventBus;
  readonly table: RegionTable;
  readonly router: Router;
  readonly sessions: Sessions;
  readonly settings: () => Settings;
}

/**
 * Only WebSocket is a tunnel. Other offers (h2c above all) are ignored, which is what an offer allows; one in HTTP/1.0 has
 * to be (RFC 9110 §7.8), and one with a body is a request, lest the body be taken for the first bytes of a tunnel.
 */
export function isTunnelRequest({ method, httpVersion, headers }: IncomingMessage): boolean {
  if (method !== "GET" || httpVersion !== "1.1" || headers.upgrade?.toLowerCase() !== "websocket")
    return false;
  return headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
}

/** The status of a region that has agreed. */
const SWITCHED = 101;

/** Handles upgrades: routed like any request, then carried by http-proxy. */
export class TunnelHandler {
  readonly #parts: TunnelParts;
  readonly #carriers = new Set<TunnelCarrier>();
  readonly #tunnels: LongLived;
  readonly #onIdle: (() => void)[] = [];

  constructor(parts: TunnelParts) {
    this.#parts = parts;
    this.#tunnels = new LongLived(parts);
  }

  /** Upgrades in whatever phase, each of which has, or will have, a connection of its own to a region. */
  get size(): number {
    return this.#carriers.size;
  }

  /** Tunnels that are open, by region. */
  counts(): ReadonlyMap<string, number> {
    return this.#tunnels.counts();
  }

  /** Closes the tunnels to a region that is closed, and by and by; see {@link Farewell}. */
  closeRegion(region: string): void {
    this.#tunnels.closeRegion(region);
  }

  /** Ends the tunnels to a region as its death would. */
  loseRegion(region: string): void {
    for (const carrier of this.#carriers) carrier.lose(region);
  }

  /** Closes all of them, at the end of a shutdown's grace. */
  closeAll(withinMs: number): void {
    this.#tunnels.closeAll(withinMs);
  }

  /** Resolves when no upgrade is open any more. */
  async idle(): Promise<void> {
    if (this.#carriers.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Cuts every upgrade in whatever phase it is. */
  cut(): void {
    for (const carrier of this.#carriers) carrier.cut();
  }

  /** Never rejects; emits `requestDone` exactly once, when the client's socket has closed. */
  async upgrade(req: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { clock, chance, events, router, sessions, settings, table } = this.#parts;
    socket.on("error", ignore);
    const carrier = new TunnelCarrier(req, socket, head, { clock, sessions, table, tunnels: this.#tunnels });
    this.#carriers.add(carrier);
    try {
      const inForce = settings();
      const identifying = inForce.identities.prepare(req.headers);
      if (identifying !== null) await identifying;
      const exchange = new Exchange(req, inForce, clock, chance());
      if (isPinRequest(exchange)) refuseAt(exchange, carrier, "wrong_method");
      else await router.route(exchange, carrier);
      await carrier.closed;
      events.emit("requestDone", exchange.record(carrier, clock.now()));
    } catch (error) {
      events.emit("failed", { where: "upgrade", error: error as Error });
      socket.destroy();
    }
    this.#carriers.delete(carrier);
    if (this.#carriers.size === 0) for (const tell of this.#onIdle.splice(0)) tell();
  }
}

function refuseAt(exchange: Exchange, carrier: TunnelCarrier, fault: Fault): void {
  exchange.fault = fault;
  carrier.refuse(exchange, fault);
}

interface CarrierParts {
  readonly clock: Clock;
  readonly table: RegionTable;
  readonly sessions: Sessions;
  readonly tunnels: LongLived;
}

/** Carries an upgrade: a connection first, so that one that fails can be tried elsewhere, then http-proxy over it. */
class TunnelCarrier implements Carrier {
  readonly protocol = "websocket";
  /** http-proxy writes the 101 as soon as it comes. */
  readonly holdsHead = false;
  readonly bodyUnread = false;
  /** Resolves when the client's socket has closed. */
  readonly closed: Promise<void>;
  readonly #req: IncomingMessage;
  readonly #socket: Socket;
  readonly #head: Buffer;
  readonly #parts: CarrierParts;
  /** Null until the region has agreed. */
  #farewell: Farewell | null = null;
  /** The region that has agreed; null until one has. */
  #joined: { readonly region: string; readonly socket: Socket } | null = null;
  #status: number | null = null;
  #handedOver = false;
  /** The region ended its answer before its end. */
  #truncated = false;

  constructor(req: IncomingMessage, socket: Socket, head: Buffer, parts: CarrierParts) {
    this.#req = req;
    this.#socket = socket;
    this.#head = head;
    this.#parts = parts;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
  }

  get gone(): boolean {
    return this.#socket.destroyed;
  }

  get answered(): boolean {
    return this.#status !== null;
  }

  /** http-proxy has no way back: once it has the socket, nobody else can be asked. */
  get bodyStarted(): boolean {
    return this.#handedOver;
  }

  get bodyKept(): boolean {
    return false;
  }

  get status(): number {
    return this.#status ?? 499;
  }

  get complete(): boolean {
    return this.answered && this.#status !== 499 && !this.#truncated;
  }

  get bytesIn(): number {
    return this.#socket.bytesRead;
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten;
  }

  cut(): void {
    this.#farewell?.cut();
    this.#socket.destroy();
  }

  /** What the death of the region would do, if it goes there. */
  lose(region: string): void {
    if (this.#joined?.region === region) this.#joined.socket.destroy();
  }

  awaitBody(): null {
    return null;
  }

  async carry(exchange: Exchange, endpoint: Endpoint): Promise<AttemptResult> {
    const { clock, table } = this.#parts;
    const { connectTimeout } = exchange.settings.config.proxy;
    // It speaks nothing that an upgrade could be asked in.
    if (endpoint.transport.http2 === "assumed") return unsent("not_implemented");
    const isHidden = await table.blackHole.hides(endpoint.region, connectTimeout, this.#leaving);
    if (isHidden === true) return unreached(clock.now() - exchange.dispatchedAtMs);
    let region: Socket;
    try {
      region = await connectTo(endpoint.transport, connectTimeout, this.#socket);
    } catch (error) {
      const waitedMs = clock.now() - exchange.dispatchedAtMs;
      const fault = this.gone ? "client_gone" : faultOf(error as Error, { sent: false });
      return unsent(fault, waitedMs, causeOf(error as Error));
    }
    return this.#tunnel(exchange, endpoint, region);
  }

  refuse(exchange: Exchange, fault: Fault, detail?: string): void {
    this.#status = FAULTS[fault].status;
    refuseSocket(this.#socket, fault, exchange.passage.requestId, detail);
  }

  readonly #leaving = (listener: () => void): (() => void) => {
    this.#socket.once("close", listener);
    return () => this.#socket.off("close", listener);
  };

  /** Resolves when the tunnel is over, or did not come about. */
  #tunnel(exchange: Exchange, endpoint: Endpoint, region: Socket): Promise<AttemptResult> {
    const socket = this.#socket;
    region.on("error", ignore);
    socket.once("close", () => region.destroy());
    if (socket.destroyed) region.destroy();
    this.#handedOver = true;
    return new Promise((resolve) => {
      const end = (fault: Fault | null, cause: string | null = null): void => {
        const durationMs = (exchange.headAtMs ?? this.#parts.clock.now()) - exchange.dispatchedAtMs;
        resolve({ fault, status: this.#status, sent: true, stale: false, durationMs, cause });
      };
      socket.once("close", () =>
        end(this.#status === null ? "client_gone" : this.#truncated ? "reset" : null),
      );
      this.#hand(exchange, endpoint, region, (error) => {
        const fault = this.gone || socket.errored ? "client_gone" : faultOf(error, { sent: true });
        end(fault, causeOf(error));
        this.refuse(exchange, fault);
      });
    });
  }

  /** Hands both sockets to http-proxy; `failed` is called when it gives up before the region has answered. */
  #hand(exchange: Exchange, endpoint: Endpoint, region: Socket, failed: (error: Error) => void): void {
    const { idleTimeout, responseTimeout } = exchange.settings.config.proxy;
    replaceHeaders(this.#req, exchange);
    const proxy = createProxyServer({
      // The connection is made, and if it is https, encrypted; http-proxy only has to speak over it.
      target: `http://${endpoint.transport.url.host}`,
      agent: new MadeConnection(region),
      upgradeTimeout: responseTimeout,
    });
    // It ends the client's socket right after it reports an error, so the refusal is written while it does.
    proxy.on("error", (error) => this.#status === null && failed(error));
    proxy.on("proxyReqWs", (upstream) => this.#watch(upstream, exchange, failed));
    proxy.on("open", () => this.#status === SWITCHED && this.#join(endpoint, region));
    void proxy.ws(this.#req, this.#socket, {}, this.#head).catch(ignore);
    // After ws(), which resets it: silence on both sides for too long is the end of both.
    this.#socket.setTimeout(idleTimeout, () => this.#socket.destroy());
  }

  /** Sees the region's answer before http-proxy passes it on, and edits its head. */
  #watch(upstream: ClientRequest, exchange: Exchange, failed: (error: Error) => void): void {
    const stopLooking = this.#lookForLeaving();
    const answered = (response: IncomingMessage): void => {
      stopLooking();
      this.#status = response.statusCode ?? 502;
      exchange.headAtMs = this.#parts.clock.now();
      editHead(response, exchange, this.#parts.sessions);
    };
    upstream.once("upgrade", (response: IncomingMessage, region: Socket) => {
      if (response.headers.upgrade?.toLowerCase() === "websocket") return void answered(response);
      // RFC 9110 §15.2.2: only what was asked for. http-proxy joins the sockets all the same, so the region's has to end.
      stopLooking();
      region.destroy();
      failed(new BadHead("101 to something else"));
    });
    upstream.once("response", (response: IncomingMessage) => {
      answered(response);
      response.once("close", () => {
        // A truncated answer must look truncated: no final chunk, fewer bytes than announced.
        this.#truncated = !response.complete;
        if (this.#truncated) this.#socket.destroy();
        else lingerThenDestroy(this.#socket);
      });
    });
  }

  /**
   * Nobody reads the client's socket before the region has agreed, so that nobody would see it end. Asking for no bytes
   * makes it look; those that come stay where they are. Returns how to end it.
   */
  #lookForLeaving(): () => void {
    const socket = this.#socket;
    const look = (): void => void socket.read(0);
    const leave = (): void => void socket.destroy();
    socket.on("readable", look);
    socket.once("end", leave);
    return () => socket.off("readable", look).off("end", leave);
  }

  /** Both sockets have just been piped into each other. */
  #join({ region: id }: Endpoint, region: Socket): void {
    const farewell = new Farewell(this.#socket, region);
    this.#farewell = farewell;
    this.#joined = { region: id, socket: region };
    const left = this.#parts.tunnels.add({ region: id, close: () => farewell.close() });
    this.#socket.once("close", left);
    region.once("close", () => this.#socket.destroySoon());
  }
}

/** http-proxy copies `req.headers`, so they become exactly what the region should get. */
function replaceHeaders(req: IncomingMessage, exchange: Exchange): void {
  const list = requestHeaders(req, exchange.passage, ownHeaders(exchange));
  const headers: Record<string, string | string[]> = { connection: "Upgrade", upgrade: "websocket" };
  for (let i = 0; i + 1 < list.length; i += 2) {
    const key = list[i]?.toLowerCase() ?? "";
    const value = list[i + 1] ?? "";
    const before = headers[key];
    headers[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  // What follows the head of an upgrade belongs to the tunnel, so it announces no body.
  delete headers["content-length"];
  for (const key of Object.keys(req.headers)) delete req.headers[key];
  Object.assign(req.headers, headers);
  req.url = exchange.target.url;
}

/** Takes the region's own word out of its answer and puts ours in. `upgrade` and `connection` stay: they are the answer. */
function editHead(response: IncomingMessage, exchange: Exchange, sessions: Sessions): void {
  const { headers } = response;
  const { decision, passage } = exchange;
  for (const key of Object.keys(headers)) if (key.startsWith("x-meridian-")) delete headers[key];
  headers["x-request-id"] = passage.requestId;
  if (decision?.kind !== "routed") return;
  exchange.consistency ??= decision.consistency;
  headers["x-meridian-region"] = decision.region;
  headers["x-meridian-reason"] = decision.reason;
  if (exchange.consistency !== null) headers["x-meridian-consistency"] = exchange.consistency;
  const home = settleAffinity(exchange, decision, sessions);
  if (home !== null) headers["set-cookie"] = [...(headers["set-cookie"] ?? []), home];
}

function ignore(): void {}
