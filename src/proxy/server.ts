import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { refuseSocket } from "./refuse.ts";
import { isTunnelRequest } from "./tunnel.ts";

/** Longer than any balancer in front of us keeps a connection (AWS ALB: 60 s), so that it closes first: node#20256. */
const KEEP_ALIVE_MS = 75_000;
/** How long a client may take for its request's head. */
const HEADERS_MS = 60_000;

export interface Handlers {
  request(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): void;
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void;
}

/** The listener that clients speak to. */
export class EdgeServer {
  readonly #server: Server;

  constructor({ proxy }: Config, handlers: Handlers) {
    this.#server = createServer({
      maxHeaderSize: proxy.maxHeaderBytes,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      // An upload may take as long as it likes as long as it moves; `idleTimeout` ends one that does not.
      requestTimeout: 0,
      shouldUpgradeCallback: isTunnelRequest,
    });
    this.#server.on("request", (req, res) => handlers.request(req, res, false));
    this.#server.on("checkContinue", (req, res) => handlers.request(req, res, true));
    this.#server.on("upgrade", (req, socket, head) => handlers.upgrade(req, socket as Socket, head));
    this.#server.on("clientError", answerClientError);
    this.#server.on("dropRequest", (_req, socket) => socket.destroy());
  }

  /** Resolves with the port, which the system chooses when 0 was asked for; rejects when it is taken. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: 4_096 }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connections and lets the requests in flight end; after the grace it cuts what is left. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const sweep = setInterval(() => this.#server.closeIdleConnections(), 100);
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }

  cut(): void {
    this.#server.closeAllConnections();
  }
}

const FAULT_BY_CODE: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: "header_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Bytes that are no request. They are answered once and the connection ends: what follows could be read in two ways. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  refuseSocket(socket, FAULT_BY_CODE[error.code ?? ""] ?? "bad_request", randomUUID());
}
