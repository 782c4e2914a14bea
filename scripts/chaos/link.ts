import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

type State = "open" | "stalled" | "cut" | "shut";

/**
 * A TCP connection's way through a network that can be broken: bytes arrive `delayMs` later, in order. Stalled, they
 * wait in both directions; cut, connections are closed and new ones too; shut, new ones are refused. What was under way
 * when it is cut or shut is lost.
 */
export class Link {
  /** Where connections lead from now on; those that stand stay. */
  port: number;
  readonly #delayMs: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: State = "open";
  #ownPort = 0;
  #held: (() => void)[] = [];

  private constructor(port: number, delayMs: number) {
    this.port = port;
    this.#delayMs = delayMs;
    this.#server = createServer((client) => this.#join(client));
  }

  static async to(port: number, delayMs: number): Promise<Link> {
    const link = new Link(port, delayMs);
    await link.#listen();
    return link;
  }

  get ownPort(): number {
    return this.#ownPort;
  }

  stall(): void {
    this.#state = "stalled";
  }

  cut(): void {
    this.#state = "cut";
    this.#held = [];
    // Not reset: a reset that meets a socket which is being closed leaves it open for ever (libuv: EINVAL).
    for (const socket of this.#sockets) socket.destroy();
  }

  /** As when nobody listens there: whoever connects learns at once that nothing was sent. */
  async shut(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    this.#state = "shut";
    this.#server.close();
    await once(this.#server, "close");
  }

  async reopen(): Promise<void> {
    if (this.#state === "shut") await this.#listen();
    this.mend();
  }

  mend(): void {
    this.#state = "open";
    const held = this.#held;
    this.#held = [];
    for (const deliver of held) deliver();
  }

  close(): Promise<void> {
    return this.shut();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#ownPort, "127.0.0.1");
    await once(this.#server, "listening");
    this.#ownPort = (this.#server.address() as AddressInfo).port;
  }

  #join(client: Socket): void {
    const server = connect(this.port, "127.0.0.1");
    this.#carry(client, server);
    this.#carry(server, client);
    if (this.#state === "cut") client.destroy();
  }

  #carry(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (chunk) => this.#later(() => void (to.writable && to.write(chunk))));
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      this.#later(() => to.end());
    });
  }

  /** Timers of one length fire in the order in which they were set. */
  #later(deliver: () => void): void {
    setTimeout(() => {
      if (this.#state === "stalled") this.#held.push(deliver);
      else deliver();
    }, this.#delayMs).unref();
  }
}
