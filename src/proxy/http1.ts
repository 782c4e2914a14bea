import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { refuseSocket } from "./refuse.ts";
import type { Handlers } from "./server.ts";
import { isTunnelRequest } from "./tunnel.ts";

/** How often it is looked whether a client has taken too long for its request's head. */
const LOOK_MS = 1_000;

/** HTTP/1.0 and 1.1, over whatever connections it is given, in clear or decrypted. */
export class Http1 {
  readonly #server: Server;
  readonly #handlers: Handlers;
  /** Responses that are under way on each connection. */
  readonly #answering = new WeakMap<Duplex, number>();

  constructor(config: Pick<Config, "proxy" | "limits">, handlers: Handlers) {
    this.#handlers = handlers;
    this.#server = createServer({
      maxHeaderSize: config.proxy.maxHeaderBytes,
      connectionsCheckingInterval: LOOK_MS,
      // An upload may take as long as it likes as long as it moves; `idleTimeout` ends one that does not.
      requestTimeout: 0,
      // Behind a request that is still being answered the socket is not ours to give away; an offer may be ignored.
      shouldUpgradeCallback: (req) => isTunnelRequest(req) && (this.#answering.get(req.socket) ?? 0) === 0,
    });
    const handle = (awaitsContinue: boolean) => (req: IncomingMessage, res: ServerResponse) => {
      this.#track(req.socket, res);
      handlers.request(req, res, awaitsContinue);
    };
    this.#server.on("request", handle(false));
    this.#server.on("checkContinue", handle(true));
    this.#server.on("upgrade", (req, socket, head) => handlers.upgrade(req, socket as Socket, head));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) =>
      this.#clientError(error, socket),
    );
    this.#server.on("dropRequest", (_req, socket) => socket.destroy());
    this.configure(config);
    // It never listens itself; this is what makes it look after clients that are slow with their heads.
    this.#server.emit("listening");
  }

  /** What a reload may change; connections that there are keep their number of headers. */
  configure({ limits }: Pick<Config, "limits">): void {
    this.#server.maxHeadersCount = limits.maxHeaders;
    this.#server.headersTimeout = limits.headersTimeout;
    this.#server.keepAliveTimeout = limits.idleConnectionTimeout;
  }

  serve(socket: Socket): void {
    this.#server.emit("connection", socket);
  }

  /** Closes the connections on which nothing is asked or answered. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
  }

  /** When there are no connections any more. */
  close(): void {
    this.#server.close();
  }

  #track(socket: Duplex, res: ServerResponse): void {
    this.#answering.set(socket, (this.#answering.get(socket) ?? 0) + 1);
    res.once("close", () => this.#answering.set(socket, (this.#answering.get(socket) ?? 1) - 1));
  }

  /**
   * Bytes that are no request. They are answered once and the connection ends: what follows could be read in two
   * ways. While a response is under way they cannot be answered: it would be taken for a part of that.
   */
  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const busy = (this.#answering.get(socket) ?? 0) > 0;
    // One that has been refused before may go on to send, or end in the middle of something.
    if (error.code === "ECONNRESET" || busy || !socket.writable) return void socket.destroy();
    const fault = FAULT_BY_CODE[error.code ?? ""] ?? "bad_request";
    this.#handlers.headRefused(fault);
    // Who has asked for nothing is told nothing: a browser's spare connection, say.
    if (fault === "request_timeout" && (socket as Socket).bytesRead === 0) socket.destroy();
    else refuseSocket(socket, fault, randomUUID());
  }
}

const FAULT_BY_CODE: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: "header_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};
