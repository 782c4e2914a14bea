import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { Acceptor } from "./acceptor.ts";
import { inheritClient } from "./client-address.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Http1 } from "./http1.ts";
import { Http2 } from "./http2.ts";
import type { InboundRequest, InboundResponse } from "./inbound.ts";
import { ProxyProtocol } from "./proxy-protocol.ts";
import { TlsEnd } from "./tls.ts";

/** How often a closing server looks for connections that have become idle. */
const SWEEP_MS = 100;

export interface Handlers {
  request(req: InboundRequest, res: InboundResponse, awaitsContinue: boolean): void;
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void;
  /** What a client sent has become no request, and its connection ends. */
  headRefused(fault: Fault): void;
}

/** The ports that clients come in by, as the system gave them. */
export interface Ports {
  readonly http: number;
  /** Null without TLS. */
  readonly https: number | null;
}

/** What processes have in common that accept from the same sockets. */
export interface Sharing {
  /** 48 bytes, by which each resumes the sessions of TLS of all. */
  readonly ticketKeys: Buffer;
}

/** One port, and what is done with its connections. */
interface Listener {
  readonly acceptor: Acceptor;
  readonly proxyProtocol: ProxyProtocol;
}

/** What clients speak to: the ports they come in by, and the protocols that are spoken there. */
export class EdgeServer {
  readonly #http1: Http1;
  readonly #http2: Http2;
  readonly #tls: TlsEnd | null;
  readonly #http: Listener;
  readonly #https: Listener | null;

  constructor(config: Config, handlers: Handlers, limits: ConnectionLimits, sharing: Sharing | null = null) {
    const { https } = config.listen;
    const http1 = new Http1(config, handlers);
    const http2 = new Http2(config, handlers);
    const secured = (socket: TLSSocket, under: Socket): void => {
      inheritClient(socket, under);
      if (socket.alpnProtocol === "h2") http2.serve(socket, socket);
      else http1.serve(socket);
    };
    const tls = https === undefined ? null : new TlsEnd(https, secured, sharing?.ticketKeys);
    this.#http1 = http1;
    this.#http2 = http2;
    this.#tls = tls;
    const isShared = sharing !== null;
    const inClear = { isShared, inClear: true, serve: (socket: Socket) => http1.serve(socket) };
    this.#http = listenerOf(config, limits, inClear);
    this.#https =
      tls && listenerOf(config, limits, { isShared, inClear: false, serve: (socket) => tls.serve(socket) });
  }

  /** Connections that are open, by listener. */
  get connections(): Readonly<Record<"http" | "https", number>> {
    return { http: this.#http.acceptor.size, https: this.#https?.acceptor.size ?? 0 };
  }

  /** Resolves with the ports, which the system chooses when 0 was asked for; rejects when one is taken. */
  async listen({ http, https }: Config["listen"]): Promise<Ports> {
    return {
      http: await this.#http.acceptor.listen(http.host, http.port),
      https: https && this.#https ? await this.#https.acceptor.listen(https.host, https.port) : null,
    };
  }

  /** What a reload can change; not where it listens. */
  configure(config: Config): void {
    const { https } = config.listen;
    if (https !== undefined) this.#tls?.configure(https);
    this.#http1.configure(config);
    this.#http2.configure(config);
    for (const { proxyProtocol } of this.#listeners) proxyProtocol.configure(config);
  }

  /** Takes no new connections and closes idle ones; resolves when the last request has ended, or was {@link cut}. */
  async close(): Promise<void> {
    const closed = Promise.all(this.#listeners.map(({ acceptor }) => acceptor.close()));
    this.#closeIdle();
    this.#http2.close();
    const sweep = setInterval(() => this.#closeIdle(), SWEEP_MS);
    await closed;
    clearInterval(sweep);
    this.#http1.close();
  }

  /** Cuts every connection. */
  cut(): void {
    for (const { acceptor } of this.#listeners) acceptor.cut();
  }

  #closeIdle(): void {
    this.#http1.closeIdle();
    this.#tls?.closeIdle();
    for (const { proxyProtocol } of this.#listeners) proxyProtocol.closeIdle();
  }

  get #listeners(): readonly Listener[] {
    return this.#https === null ? [this.#http] : [this.#http, this.#https];
  }
}

/** Who may come in, who that is, and then what is spoken: in that order. */
function listenerOf(
  config: Config,
  limits: ConnectionLimits,
  {
    isShared,
    inClear,
    serve,
  }: { readonly isShared: boolean; readonly inClear: boolean; readonly serve: (socket: Socket) => void },
): Listener {
  const proxyProtocol = new ProxyProtocol(config, {
    refused: (socket) => limits.turnAway(socket),
    admits: (socket, client) => limits.admitBehindProxy(socket, client, { inClear }),
  });
  const acceptor = new Acceptor(
    (socket) => {
      if (limits.admit(socket, { inClear })) proxyProtocol.serve(socket, serve);
    },
    { isShared },
  );
  return { acceptor, proxyProtocol };
}
