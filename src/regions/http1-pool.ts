import { type Dispatcher, errors } from "undici";
import { Bag } from "../bag.ts";
import type { Connection } from "./connection.ts";

/** A request that no connection is free for yet. */
interface Waiting {
  readonly options: Dispatcher.DispatchOptions;
  readonly handler: Dispatcher.DispatchHandler;
}

/**
 * Connections to one endpoint over HTTP/1.1, used as undici's pool is. That looks at its connections one by one for a free
 * one, with each request and for each that becomes free: with 64 of them a bare proxy took 43 µs for a request, and with
 * a stack 36 µs. There is no pipelining: one request's fate is its own.
 */
export class Http1Pool {
  readonly #most: number;
  readonly #open: () => Connection;
  /** Connected, and used by nobody. Who came last goes first, so what is not needed is not kept open. */
  readonly #free: Connection[] = [];
  readonly #busy = new Bag<Connection>();
  readonly #waiting: Waiting[] = [];
  #isClosed = false;
  #onIdle: (() => void)[] = [];

  /**
   * @param most how many connections there may be
   * @param open makes one; it connects when it is used
   */
  constructor(most: number, open: () => Connection) {
    this.#most = most;
    this.#open = open;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#isClosed) throw new errors.ClientClosedError();
    const connection = this.#free.pop() ?? this.#another();
    if (connection === null) this.#waiting.push({ options, handler });
    else this.#send(connection, options, handler);
    return true;
  }

  /** Resolves when the requests that there are have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#free.splice(0)) void connection.destroy();
    if (this.#busy.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Cuts every request. */
  async destroy(): Promise<void> {
    this.#isClosed = true;
    const error = new errors.ClientDestroyedError();
    for (const { handler } of this.#waiting.splice(0)) failUnsent(handler, error);
    const connections = [...this.#busy, ...this.#free.splice(0)];
    for (const connection of this.#busy) this.#busy.delete(connection);
    await Promise.all(connections.map((connection) => connection.destroy(error)));
    this.#tellIdle();
  }

  #another(): Connection | null {
    if (this.#busy.size >= this.#most) return null;
    const connection = this.#open();
    connection.on("drain", () => this.#freed(connection));
    connection.on("disconnect", () => this.#gone(connection));
    return connection;
  }

  #send(
    connection: Connection,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): void {
    this.#busy.add(connection);
    connection.dispatch(options, handler);
    // What cannot be sent at all is not taken, and nothing is told of it.
    if (connection.isIdle) this.#freed(connection);
  }

  /** It has carried its request, or has been closed over that. */
  #freed(connection: Connection): void {
    if (!this.#busy.delete(connection)) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#send(connection, next.options, next.handler);
    else if (this.#isClosed) this.#end(connection);
    else if (connection.isOpen) this.#free.push(connection);
  }

  #end(connection: Connection): void {
    void connection.destroy();
    if (this.#busy.size === 0) this.#tellIdle();
  }

  #gone(connection: Connection): void {
    const index = this.#free.indexOf(connection);
    if (index !== -1) this.#free.splice(index, 1);
  }

  #tellIdle(): void {
    for (const tell of this.#onIdle.splice(0)) tell();
  }
}

function failUnsent(handler: Dispatcher.DispatchHandler, error: Error): void {
  handler.onResponseError?.(null as unknown as Dispatcher.DispatchController, error);
}
