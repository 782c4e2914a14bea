import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Answer } from "./case.ts";
import { type ReadRequest, readRequests } from "./strict-request.ts";

/** How far apart the pieces of an answer are, so that each comes in a packet of its own. */
const PIECE_MS = 15;

/** One connection that was made to the region. */
export interface Connection {
  /** Every byte that came, as one character each. */
  text: string;
  /** Why what came is no request; null when it is. */
  doubt: string | null;
  closed: boolean;
}

/** A region that keeps what it was sent byte by byte, and answers with the bytes that a case says. */
export class RecordingRegion {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #scripts = new Map<string, Answer>();
  readonly #early = new Set<string>();
  #saying: Promise<void> = Promise.resolve();
  connections: Connection[] = [];
  /** Of all connections, as they came. */
  readonly arrived: ReadRequest[] = [];
  /** Why something that came is no request. */
  readonly doubts: string[] = [];
  url = "";

  constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, "close");
  }

  /** How the first request for a target is answered. */
  script(target: string, answer: Answer): void {
    this.#scripts.set(target, answer);
  }

  /** Whether the answer to a target was given before all of its request had come. */
  answeredEarly(target: string): boolean {
    return this.#early.has(target);
  }

  /** Resolves when every answer that was begun has been given to its last byte. */
  said(): Promise<void> {
    return this.#saying;
  }

  /** Forgets connections that have ended; those that are open go on. */
  forget(): void {
    this.connections = this.connections.filter(({ closed }) => !closed);
  }

  #serve(socket: Socket): void {
    const connection: Connection = { text: "", doubt: null, closed: false };
    this.connections.push(connection);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      connection.closed = true;
      this.#sockets.delete(socket);
    });
    let taken = 0;
    socket.on("data", (chunk: Buffer) => {
      connection.text += chunk.toString("latin1");
      const reading = readRequests(connection.text.slice(taken));
      taken += reading.taken;
      for (const request of reading.requests) {
        if (request.target !== "/healthz") this.arrived.push(request);
        this.#answer(socket, request);
      }
      if (reading.begun !== null) this.#answerEarly(socket, reading.begun.target);
      if (reading.doubt !== null && connection.doubt === null) {
        connection.doubt = reading.doubt;
        this.doubts.push(reading.doubt);
        socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      }
    });
  }

  #answer(socket: Socket, request: ReadRequest): void {
    if (this.#early.has(request.target)) return;
    const scripted = this.#take(request.target);
    if (scripted === null) socket.write(plainAnswer(request), "latin1");
    else this.#saying = say(socket, scripted);
  }

  /** To a head whose body has not all come. */
  #answerEarly(socket: Socket, target: string): void {
    if (this.#scripts.get(target)?.when !== "head") return;
    this.#early.add(target);
    const scripted = this.#take(target);
    if (scripted !== null) this.#saying = say(socket, scripted);
  }

  #take(target: string): Answer | null {
    const answer = this.#scripts.get(target) ?? null;
    this.#scripts.delete(target);
    return answer;
  }
}

/** Says which request it answers, so that an answer in the wrong place is seen. */
function plainAnswer({ method, target }: ReadRequest): string {
  const body = method === "HEAD" ? "" : target;
  return `HTTP/1.1 200 OK\r\ncontent-length: ${target.length}\r\nx-target: ${target}\r\n\r\n${body}`;
}

async function say(socket: Socket, { bytes, ends = "keep" }: Answer): Promise<void> {
  for (const [index, piece] of [bytes].flat().entries()) {
    if (index > 0) await new Promise((resolve) => setTimeout(resolve, PIECE_MS));
    if (!socket.destroyed) socket.write(piece, "latin1");
  }
  if (ends === "close") socket.end();
  if (ends === "reset") socket.resetAndDestroy();
}
