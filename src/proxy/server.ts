import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { Acceptor } from "./acceptor.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Http1 } from "./http1.ts";

/** How often a closing server looks for connections that have become idle. */
const SWEEP_MS = 100;

export interface Handlers {
  request(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean): void;
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void;
  /** What a client sent has become no request, and its connection ends. */
  headRefused(fault: Fault): void;
}

/** What clients speak to: the ports they come in by, and the protocols that are spoken there. */
export class EdgeServer {
  readonly #http1: Http1;
  readonly #http: Acceptor;

  constructor(config: Config, handlers: Handlers, limits: ConnectionLimits) {
    this.#http1 = new Http1(config, handlers);
    this.#http = new Acceptor((socket) => {
      if (limits.admit(socket, { inClear: true })) this.#http1.serve(socket);
    });
  }

  /** Connections that are open, by listener. */
  get connections(): Readonly<Record<"http", number>> {
    return { http: this.#http.size };
  }

  /** Resolves with the port, which the system chooses when 0 was asked for; rejects when it is taken. */
  listen({ http }: Config["listen"]): Promise<number> {
    return this.#http.listen(http.host, http.port);
  }

  configure(config: Config): void {
    this.#http1.configure(config);
  }

  /** Takes no new connections and closes idle ones; resolves when the last request has ended, or was {@link cut}. */
  async close(): Promise<void> {
    const closed = this.#http.close();
    this.#http1.closeIdle();
    const sweep = setInterval(() => this.#http1.closeIdle(), SWEEP_MS);
    await closed;
    clearInterval(sweep);
    this.#http1.close();
  }

  /** Cuts every connection. */
  cut(): void {
    this.#http.cut();
  }
}
