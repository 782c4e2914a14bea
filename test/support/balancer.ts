import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Backend {
  readonly httpUrl: string;
  readonly adminUrl: string;
}

/**
 * A balancer as simple as they come: TCP, round robin over those whose `/readyz` answered 200 when it was asked last. It
 * tries nothing twice, so whatever an edge does wrong is seen by a client.
 */
export class Balancer {
  url = "";
  readonly #backends: readonly Backend[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #healthy = new Set<Backend>();
  readonly #checking: NodeJS.Timeout;
  #next = 0;

  constructor(backends: readonly Backend[], checkEveryMs: number) {
    this.#backends = backends;
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client));
    this.#checking = setInterval(() => void this.check(), checkEveryMs);
  }

  async start(): Promise<this> {
    await this.check();
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    clearInterval(this.#checking);
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  sends(backend: Backend): boolean {
    return this.#healthy.has(backend);
  }

  async check(): Promise<void> {
    await Promise.all(
      this.#backends.map(async (backend) => {
        const ready = await fetch(`${backend.adminUrl}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        );
        if (ready) this.#healthy.add(backend);
        else this.#healthy.delete(backend);
      }),
    );
  }

  #accept(client: Socket): void {
    const healthy = this.#backends.filter((backend) => this.#healthy.has(backend));
    const chosen = healthy[this.#next++ % healthy.length];
    if (chosen === undefined) return void client.destroy();
    const upstream = connect({
      port: Number(new URL(chosen.httpUrl).port),
      host: "127.0.0.1",
      noDelay: true,
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.once("close", () => {
        this.#sockets.delete(one);
        other.destroySoon();
      });
      one.pipe(other);
    }
  }
}
