import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { Acceptor } from "./acceptor.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Http1 } from "./http1.ts";
import { Http2 } from "./http2.ts";
import type { InboundRequest, InboundResponse } from "./inbound.ts";
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

/** What clients speak to: the ports they come in by, and the protocols that are spoken there. */
export class EdgeServer {
  readonly #http1: Http1;
  readonly #http2: Http2;
  readonly #http: Acceptor;
  readonly #tls: TlsEnd | null;
  readonly #https: Acceptor | null;

  constructor(config: Config, handlers: Handlers, limits: ConnectionLimits) {
    const { https } = config.listen;
    const http1 = new Http1(config, handlers);
    const http2 = new Http2(config, handlers);
    const secured = (socket: TLSSocket): void => {
      if (socket.alpnProtocol === "h2") http2.serve(socket, socket);
      else http1.serve(socket);
    };
    const tls = https === undefined ? null : new TlsEnd(https, secured);
    this.#http2 = http2;
    this.#http1 = http1;
    this.#http = new Acceptor((socket) => {
      if (limits.admit(socket, { inClear: true })) http1.serve(socket);
    });
    this.#tls = tls;
    this.#https =
      tls &&
      new Acceptor((socket) => {
        if (limits.admit(socket, { inClear: false })) tls.serve(socket);
      });
  }

  /** Connections that are open, by listener. */
  get connections(): Readonly<Record<"http" | "https", number>> {
    return { http: this.#http.size, https: this.#https?.size ?? 0 };
  }

  /** Resolves with the ports, which the system chooses when 0 was asked for; rejects when one is taken. */
  async listen({ http, https }: Config["listen"]): Promise<Ports> {
    return {
      http: await this.#http.listen(http.host, http.port),
      https: https && this.#https ? await this.#https.listen(https.host, https.port) : null,
    };
  }

  /** What a reload can change; not where it listens. */
  configure(config: Config): void {
    const { https } = config.listen;
    if (https !== undefined) this.#tls?.configure(https);
    this.#http1.configure(config);
    this.#http2.configure(config);
  }

  /** Takes no new connections and closes idle ones; resolves when the last request has ended, or was {@link cut}. */
  async close(): Promise<void> {
    const closed = Promise.all([this.#http.close(), this.#https?.close()]);
    this.#closeIdle();
    this.#http2.close();
    const sweep = setInterval(() => this.#closeIdle(), SWEEP_MS);
    await closed;
    clearInterval(sweep);
    this.#http1.close();
  }

  /** Cuts every connection. */
  cut(): void {
    this.#http.cut();
    this.#https?.cut();
  }

  #closeIdle(): void {
    this.#http1.closeIdle();
    this.#tls?.closeIdle();
  }
}
