import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { formatPosition } from "../../src/demo/application.ts";
import type { Execution } from "./history.ts";
import type { RegionCopy } from "./region-copy.ts";
import type { WriteLog } from "./write-log.ts";

export interface RegionParts {
  readonly id: string;
  /** Half of it before the work, half after. */
  readonly delayMs: number;
  /** Of the world. */
  readonly log: WriteLog;
  /** Of this region. */
  readonly copy: RegionCopy;
  /** Appends to the log and to the ledger. */
  readonly commit: (operation: string, key: string) => Execution;
}

const JSON_TYPE = { "content-type": "application/json" };

/**
 * A region that executes exactly what its ledger says, and loses a response when the request asks for it
 * (`x-chaos-lose`): after the commit, which is when it hurts.
 */
export class ChaosRegion {
  readonly id: string;
  /** Added to every answer but a probe's. */
  slowMs = 0;
  /** Between a commit and its answer. */
  holdMs = 0;
  readonly #parts: RegionParts;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #sockets = new Set<Socket>();
  #port = 0;
  /** Raised by a kill, so that work begun before it is never finished after it. */
  #life = 0;

  constructor(parts: RegionParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.#server.keepAliveTimeout = 60_000;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async kill(): Promise<void> {
    this.#life += 1;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const life = this.#life;
    try {
      if (request.url === "/healthz") return this.#health(response);
      // A slow upload is the request's, not the region's.
      for await (const _ of request);
      await this.#travel();
      if (life === this.#life) await this.#work(request, response);
    } catch {
      response.destroy();
    }
  }

  #health(response: ServerResponse): void {
    const { log, copy } = this.#parts;
    const writer = log.writer === this.id;
    const lagMs = writer ? 0 : copy.observedLagMs;
    const applied = formatPosition(copy.position);
    response.writeHead(200, JSON_TYPE);
    response.end(JSON.stringify({ status: "ok", writer, epoch: log.epoch, applied, lagMs }));
  }

  async #work(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = (request.url ?? "").replace("/items/", "");
    if (request.method === "GET") {
      const version = this.#parts.copy.version(key);
      await this.#travel();
      response.writeHead(200, { "x-chaos-version": version }).end();
    } else if (this.#mayWrite(request)) await this.#write(request, response, key);
    else response.writeHead(421).end();
  }

  #mayWrite({ headers }: IncomingMessage): boolean {
    const { log } = this.#parts;
    return log.writer === this.id && !log.fenced && headers["x-meridian-write-epoch"] === `${log.epoch}`;
  }

  async #write({ headers, socket }: IncomingMessage, response: ServerResponse, key: string): Promise<void> {
    const life = this.#life;
    const { version, epoch, position } = this.#parts.commit(String(headers["x-chaos-operation"]), key);
    await sleep(this.holdMs);
    if (headers["x-chaos-lose"] !== undefined || life !== this.#life) return void socket.destroy();
    await this.#travel();
    const at = `${epoch}:${formatPosition(position)}`;
    const evidence = { "x-meridian-wrote": "1", "x-meridian-position": at };
    response.writeHead(200, { "x-chaos-version": version, ...evidence }).end();
  }

  async #travel(): Promise<void> {
    await sleep((this.#parts.delayMs + this.slowMs) / 2);
  }
}
