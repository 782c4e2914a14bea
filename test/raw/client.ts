import { connect, type Socket } from "node:net";
import { type ResponseReading, readResponses } from "./strict-response.ts";

/** Nothing has come for so many looks: whoever is waited for waits too. Looks, and not time, for the machine may stall. */
const QUIET = 8;
const LOOK_MS = 35;
/** Between the pieces of a request whose answer does not come first; an edge may wait a moment for a body. */
const PIECE = 10;

/** A client's connection, and all that came over it. */
export class Client {
  readonly methods: string[];
  readonly #socket: Socket;
  text = "";
  closed = false;
  #changed = (): void => {};

  static open(port: number, methods: readonly string[]): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Client(socket, methods));
      });
    });
  }

  constructor(socket: Socket, methods: readonly string[]) {
    this.#socket = socket;
    this.methods = [...methods];
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      this.text += bytes.toString("latin1");
      this.#changed();
    });
    const close = (): void => {
      this.closed = true;
      this.#changed();
    };
    socket.once("end", close);
    socket.once("close", close);
  }

  get reading(): ResponseReading {
    return readResponses(this.text, this.methods, this.closed);
  }

  write(bytes: string): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes, "latin1");
  }

  async send(pieces: readonly string[]): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      const { length } = this.text;
      if (index > 0) await this.until(({ text }) => text.length > length, PIECE);
      this.write(piece);
    }
  }

  leave(): void {
    this.#socket.destroy();
  }

  /** Waits until it is so, or the other side has closed, or nothing has come for so many looks. */
  until(isSo: (client: Client) => boolean, looks = QUIET): Promise<void> {
    return new Promise((resolve) => {
      let quiet = 0;
      const done = (): void => {
        clearInterval(looking);
        this.#changed = () => {};
        resolve();
      };
      const looking = setInterval(() => {
        quiet += 1;
        if (quiet > looks) done();
      }, LOOK_MS);
      this.#changed = () => {
        quiet = 0;
        if (this.closed || isSo(this)) done();
      };
      if (this.closed || isSo(this)) done();
    });
  }
}
