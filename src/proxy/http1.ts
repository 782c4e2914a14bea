import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { refuseSocket } from "./refuse.ts";
import type { Handlers } from "./server.ts";
import { isTunnelRequest } from "./tunnel.ts";

/** Longer than any balancer in front of us keeps a connection (AWS ALB: 60 s), so that it closes first: node#20256. */
const KEEP_ALIVE_MS = 75_000;
/** How long a client may take for its request's head, and how often it is looked whether one has taken longer. */
const HEAD_TIMES = { headMs: 60_000, lookMs: 5_000 };

/** HTTP/1.0 and 1.1, over whatever connections it is given, in clear or decrypted. */
export class Http1 {
  readonly #server: Server;
  /** Responses that are under way on each connection. */
  readonly #answering = new WeakMap<Duplex, number>();

  constructor({ proxy }: Pick<Config, "proxy">, handlers: Handlers, { headMs, lookMs } = HEAD_TIMES) {
    this.#server = createServer({
      maxHeaderSize: proxy.maxHeaderBytes,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: headMs,
      connectionsCheckingInterval: lookMs,
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
    // It never listens itself; this is what makes it look after clients that are slow with their heads.
    this.#server.emit("listening");
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
    if (error.code === "ECONNRESET" || busy) socket.destroy();
    else refuseSocket(socket, FAULT_BY_CODE[error.code ?? ""] ?? "bad_request", randomUUID());
  }
}

const FAULT_BY_CODE: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: "header_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};
