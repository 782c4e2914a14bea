import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { formatPosition } from "../../src/demo/application.ts";
import type { Execution } from "./history.ts";

/** The database of one region, as the application there sees it. */
export interface RegionDatabase {
  readonly epoch: number;
  /** Whether it says that it is the writer. */
  readonly writer: boolean;
  /** False while it hands over, though it still says that it is the writer. */
  readonly takesWrites: boolean;
  /** How far it has the write log; null where there is not one that all regions share. */
  readonly position: number | null;
  readonly lagMs: number;
  /** 0 for a key that was never written here. */
  version(key: string): number;
  commit(operation: string, key: string): Execution;
}

export interface RegionParts {
  readonly id: string;
  /** Half of it before the work, half after. */
  readonly delayMs: number;
  readonly database: RegionDatabase;
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
    const { writer, epoch, position, lagMs } = this.#parts.database;
    const applied = position === null ? undefined : formatPosition(position);
    response.writeHead(200, JSON_TYPE);
    response.end(JSON.stringify({ status: "ok", writer, epoch, applied, lagMs }));
  }

  async #work(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { database } = this.#parts;
    const key = (request.url ?? "").replace("/items/", "");
    if (request.method === "GET") {
      const version = database.version(key);
      await this.#travel();
      response.writeHead(200, { "x-chaos-version": version }).end();
    } else if (database.takesWrites && request.headers["x-meridian-write-epoch"] === `${database.epoch}`)
      await this.#write(request, response, key);
    else response.writeHead(421).end();
  }

  async #write({ headers, socket }: IncomingMessage, response: ServerResponse, key: string): Promise<void> {
    const life = this.#life;
    const { database } = this.#parts;
    const { version, epoch, position } = database.commit(String(headers["x-chaos-operation"]), key);
    const at =
      database.position === null ? {} : { "x-meridian-position": `${epoch}:${formatPosition(position)}` };
    await sleep(this.holdMs);
    if (headers["x-chaos-lose"] !== undefined || life !== this.#life) return void socket.destroy();
    await this.#travel();
    response.writeHead(200, { "x-chaos-version": version, "x-meridian-wrote": "1", ...at }).end();
  }

  async #travel(): Promise<void> {
    await sleep((this.#parts.delayMs + this.slowMs) / 2);
  }
}
