import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { Pipelines } from "./pipelines.ts";
import { refuseMidway, refuseSocket } from "./refuse.ts";
import type { Handlers } from "./server.ts";
import { isTunnelRequest } from "./tunnel.ts";

/** How often it is looked whether a client has taken too long for its request's head. */
const LOOK_MS = 1_000;

/** HTTP/1.0 and 1.1, over whatever connections it is given, in clear or decrypted. */
export class Http1 {
  readonly #server: Server;
  readonly #handlers: Handlers;
  readonly #pipelines = new Pipelines();
  /** Connections on which something came that is no request; nothing behind it is read. */
  readonly #broken = new WeakSet<Duplex>();

  constructor(config: Pick<Config, "proxy" | "limits">, handlers: Handlers) {
    this.#handlers = handlers;
    this.#server = createServer({
      maxHeaderSize: config.proxy.maxHeaderBytes,
      // Without a body there is none to read, and the end of it need not be told.
      optimizeEmptyRequests: true,
      connectionsCheckingInterval: LOOK_MS,
      // An upload may take as long as it likes as long as it moves; `idleTimeout` ends one that does not.
      requestTimeout: 0,
      // It is asked for, by us: a refusal of Node's own would be neither logged nor counted.
      requireHostHeader: false,
      // Behind a request that is still being answered the socket is not ours to give away; an offer may be ignored.
      shouldUpgradeCallback: (req) => isTunnelRequest(req) && !this.#pipelines.isBusy(req.socket),
    });
    const handle = (awaitsContinue: boolean) => (req: IncomingMessage, res: ServerResponse) => {
      if (this.#broken.has(req.socket)) return;
      // The parser takes 0.9 and 2.0 in the place of 1.1, too.
      if (req.httpVersionMajor !== 1) this.#refuse(req.socket, "bad_request");
      else this.#pipelines.enter(req, res, () => handlers.request(req, res, awaitsContinue));
    };
    this.#server.on("request", handle(false));
    this.#server.on("checkContinue", handle(true));
    this.#server.on("upgrade", (req, socket, head) => handlers.upgrade(req, socket as Socket, head));
    this.#server.on("connect", (_req, socket) => this.#refuse(socket, "not_implemented"));
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

  /**
   * Bytes that are no request. They are answered once and the connection ends: what follows could be read in two
   * ways. What was asked before them is answered first. In the middle of a request they are its answer, unless the
   * region's has begun: then they would be taken for a part of that.
   */
  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === "ECONNRESET") return void socket.destroy();
    // One that has been refused before may go on to send.
    if (this.#broken.has(socket)) return;
    const newest = this.#pipelines.newest(socket);
    const fault = FAULT_BY_CODE[error.code ?? ""] ?? "bad_request";
    if (newest === null || newest.req.complete) this.#refuse(socket, fault, error.code !== LEFT_MIDWAY);
    else if (this.#pipelines.isAlone(socket) && !newest.res.headersSent)
      refuseMidway(socket as Socket, fault, randomUUID());
    else socket.destroy();
  }

  /** @param counts false: nobody is refused who has left */
  #refuse(socket: Duplex, fault: Fault, counts = true): void {
    this.#broken.add(socket);
    if (counts) this.#handlers.headRefused(fault);
    // Who has asked for nothing is told nothing: a browser's spare connection, say.
    if (fault === "request_timeout" && (socket as Socket).bytesRead === 0) socket.destroy();
    else this.#pipelines.afterAll(socket, () => refuseSocket(socket, fault, randomUUID()));
  }
}

/** The client ended its side in the middle of something. */
const LEFT_MIDWAY = "HPE_INVALID_EOF_STATE";

const FAULT_BY_CODE: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: "header_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};
