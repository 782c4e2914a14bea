import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A burst of clients waits here while the event loop is busy. */
const BACKLOG = 4_096;

/** As short as the system can: some 50 µs. */
const A_MOMENT_MS = 0.001;
/** Nobody wakes who waits for it. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/**
 * One port that clients come in by. It owns every connection from its first byte to its last, whatever is spoken over
 * it; `arrived` gets each as it is, before anything was read, and says who serves it.
 */
export class Acceptor {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #takenThisTurn = 0;

  /** @param isShared whether other processes accept from the same socket */
  constructor(arrived: (socket: Socket) => void, { isShared = false }: { readonly isShared?: boolean } = {}) {
    // Half open, as HTTP/1.1 needs it: a client may end its side before it has its answer.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (isShared) this.#giveWay();
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", ignore);
      arrived(socket);
    });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Resolves with the port, which the system chooses when 0 was asked for; rejects when it is taken. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Node takes all that wait in one turn of its loop, so in a burst the process that wakes first has them all, and keeps them: of two,
   * one was seen with 64 connections of 65. From the second in a turn on the others get a moment, as libuv itself once gave them.
   */
  #giveWay(): void {
    this.#takenThisTurn += 1;
    if (this.#takenThisTurn > 1) Atomics.wait(NEVER, 0, 0, A_MOMENT_MS);
    else
      setImmediate(() => {
        this.#takenThisTurn = 0;
      });
  }

  /** Takes no new connections; resolves when the last one has ended. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** Cuts every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Whoever serves the connection hears of its errors too; before that there is nobody to tell. */
function ignore(): void {}
