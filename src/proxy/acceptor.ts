import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** A burst of clients waits here while the event loop is busy. */
const BACKLOG = 4_096;

/**
 * One port that clients come in by. It owns every connection from its first byte to its last, whatever is spoken over
 * it; `arrived` gets each as it is, before anything was read, and says who serves it.
 */
export class Acceptor {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(arrived: (socket: Socket) => void) {
    // Half open, as HTTP/1.1 needs it: a client may end its side before it has its answer.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
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
