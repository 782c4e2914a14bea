import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, answerRequest, formatPosition, isUnsafe, isWrite, json } from "./application.ts";
import type { RequestLedger } from "./ledger.ts";
import type { RegionStore, ReplicationLink } from "./replication.ts";

export interface RegionSetup {
  readonly id: string;
  readonly role: "writer" | "replica" | "standby";
  /** Round trip between the edge and this region; added to every answer, half before and half after the work. */
  readonly delayMs?: number;
  /** How long after a write this region has it, when another region took the write. */
  readonly lagMs?: number;
  /** 0 or left out: any free one. */
  readonly port?: number;
  readonly jurisdiction?: string;
  /** Latitude and longitude, for whoever draws it. */
  readonly location?: readonly [number, number];
}

/** What is wrong with a region at the moment, apart from its being killed. */
export interface Ailments {
  /** Added to the delay of every answer, probes too. */
  readonly slowMs: number;
  /** Accepts, reads, and never answers. */
  readonly blackhole: boolean;
  /** The status of all traffic while probes go on passing; null: works. */
  readonly trafficStatus: number | null;
  /** The status of probes while traffic goes on working; null: works. */
  readonly probeStatus: number | null;
  /** Probes answer `"status":"drain"`. */
  readonly draining: boolean;
}

const HEALTHY: Ailments = {
  slowMs: 0,
  blackhole: false,
  trafficStatus: null,
  probeStatus: null,
  draining: false,
};
const RELISTEN_ATTEMPTS = 100;
const RELISTEN_PAUSE_MS = 50;

/** What the regions of one world share. */
export interface RegionParts {
  readonly store: RegionStore;
  readonly link: ReplicationLink;
  readonly ledger: RequestLedger;
  readonly host: string;
  readonly epoch: () => number;
  readonly isWriter: () => boolean;
  readonly write: (key: string) => { readonly version: number; readonly position: number };
}

/** One region of an application: a real HTTP server over a replicated store, which can be made to fail. */
export class SimulatedRegion {
  readonly id: string;
  readonly setup: RegionSetup;
  /** Takes over upgrades; none are accepted without it. */
  onUpgrade: ((request: IncomingMessage, socket: Duplex, head: Buffer) => void) | null = null;
  delayMs: number;
  readonly #parts: RegionParts;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #ailments = HEALTHY;
  #port: number;
  /** Raised when the region is killed, so that work begun before it is never finished after it. */
  #life = 0;
  #answered = 0;

  constructor(setup: RegionSetup, parts: RegionParts) {
    this.id = setup.id;
    this.setup = setup;
    this.delayMs = setup.delayMs ?? 0;
    this.#parts = parts;
    this.#port = setup.port ?? 0;
    this.#server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 });
    this.#server.on("request", (request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on("connection", (socket) => this.#keep(socket));
  }

  get url(): string {
    return `http://${this.#parts.host}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#server.listening;
  }

  get ailments(): Ailments {
    return this.#ailments;
  }

  /** Answers given to anything but probes. */
  get answered(): number {
    return this.#answered;
  }

  /** The replication lag that writes of other regions are applied with. */
  get lagMs(): number {
    return this.#parts.link.lagMs;
  }

  set lagMs(value: number) {
    this.#parts.link.lagMs = value;
  }

  /** The version of a key in this region's store, without going through HTTP. */
  version(key: string): number {
    return this.#parts.store.version(key);
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, this.#parts.host);
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** The process is gone at once: connections are reset, new ones refused. Its database lives on. */
  async kill(): Promise<void> {
    this.#life += 1;
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  /** Ends every fault, and listens on the same port again if it was killed. */
  async heal(): Promise<void> {
    if (this.#ailments.blackhole) for (const socket of this.#sockets) socket.destroy();
    this.#ailments = HEALTHY;
    this.#parts.link.thaw();
    if (!this.#server.listening) await this.#listenAgain();
  }

  /** Adds to what is wrong already. */
  ail(change: Partial<Ailments>): void {
    this.#ailments = { ...this.#ailments, ...change };
  }

  slow(ms: number): void {
    this.ail({ slowMs: ms });
  }

  blackhole(): void {
    this.ail({ blackhole: true });
  }

  freezeReplication(): void {
    this.#parts.link.freeze();
  }

  thawReplication(): void {
    this.#parts.link.thaw();
  }

  /** An outgoing connection may have borrowed our port in the meantime; it will give it back. */
  async #listenAgain(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.listen();
      } catch (error) {
        if (attempt === RELISTEN_ATTEMPTS) throw error;
        await sleep(RELISTEN_PAUSE_MS);
      }
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#ailments.blackhole) return;
    if (this.onUpgrade !== null) this.onUpgrade(request, socket, head);
    else socket.end("HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const life = this.#life;
    try {
      await this.#travel();
      if (life !== this.#life || this.#ailments.blackhole) return;
      const answer = await this.#answer(request);
      await this.#travel();
      if (life !== this.#life || this.#ailments.blackhole) return;
      await this.#send(request, response, answer);
    } catch {
      // The client left in the middle of a body: there is nobody to answer.
      response.destroy();
    }
  }

  async #travel(): Promise<void> {
    const waitMs = (this.delayMs + this.#ailments.slowMs) / 2;
    if (waitMs > 0) await sleep(waitMs);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = "GET", url = "/" } = request;
    const path = url.split("?", 1)[0] ?? "/";
    if (path === "/healthz") return this.#health();
    if (path === "/ledger") return json(200, this.#parts.ledger.summary());
    this.#answered += 1;
    const { trafficStatus } = this.#ailments;
    if (trafficStatus !== null) return json(trafficStatus, { region: this.id, error: "simulated" });
    if (isWrite(method, path) && !this.#mayWrite(request)) return this.#misdirect();
    const answer = await answerRequest(request, this.#surroundings());
    if (isUnsafe(method)) this.#record(request);
    return answer;
  }

  #health(): Answer {
    const { probeStatus, draining } = this.#ailments;
    if (probeStatus !== null) return json(probeStatus, { error: "simulated" });
    const { store, link, epoch, isWriter } = this.#parts;
    const writer = isWriter();
    return json(200, {
      status: draining ? "drain" : "ok",
      writer,
      epoch: epoch(),
      applied: formatPosition(store.position),
      lagMs: writer ? 0 : link.observedLagMs,
    });
  }

  /** Not the writer, or not the writer of the epoch that the edge believes in. */
  #mayWrite(request: IncomingMessage): boolean {
    const epoch = request.headers["x-meridian-write-epoch"];
    const current = epoch === undefined || Number(epoch) >= this.#parts.epoch();
    return this.#parts.isWriter() && current;
  }

  #misdirect(): Answer {
    this.#parts.ledger.misdirected();
    return json(421, { region: this.id, error: "not the writer" });
  }

  #record({ headers }: IncomingMessage): void {
    const [id] = [headers["x-request-id"]].flat();
    const [epoch] = [headers["x-meridian-write-epoch"]].flat();
    this.#parts.ledger.executed(id, epoch);
  }

  #surroundings() {
    const { store, write, epoch, isWriter } = this.#parts;
    return {
      id: this.id,
      writer: isWriter(),
      epoch: epoch(),
      version: (key: string) => store.version(key),
      write,
    };
  }

  async #send(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
    if (response.destroyed) return discard(answer);
    request.resume();
    response.writeHead(answer.status, answer.headers);
    if (typeof answer.body === "string") return void response.end(answer.body);
    if (request.method !== "HEAD") return pipeline(answer.body, response);
    discard(answer);
    response.end();
  }
}

function discard({ body }: Answer): void {
  if (typeof body !== "string") body.destroy();
}
