import { isIP } from "node:net";
import { type Dispatcher, errors } from "undici";
import { Http2Call } from "./http2-call.ts";
import { Http2Connection } from "./http2-connection.ts";
import type { CallOptions } from "./http2-fields.ts";
import { names } from "./lookup.ts";
import { bare, type Transport } from "./transport.ts";

export interface Http2PoolSettings {
  readonly maxHeaderBytes: number;
  readonly connections: number;
}

type Open = (callback: (error: Error | null, socket: import("node:net").Socket | null) => void) => void;

/**
 * Requests to one endpoint over HTTP/2, used as undici's pool is. undici's own client was tried (8.12.4): it ends an upload
 * that is cut off as if it were whole, and what waits for a connection that is told to go waits for its last stream.
 */
export class Http2Pool {
  readonly #transport: Transport;
  readonly #settings: Http2PoolSettings;
  readonly #open: Open;
  readonly #connections = new Set<Http2Connection>();
  #isClosed = false;
  #onIdle: (() => void)[] = [];

  constructor(transport: Transport, settings: Http2PoolSettings, open: Open) {
    this.#transport = transport;
    this.#settings = settings;
    this.#open = open;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.#isClosed) throw new errors.ClientClosedError();
    this.#place(new Http2Call(options as unknown as CallOptions, handler, (call) => this.#place(call)));
    return true;
  }

  /** Resolves when the calls that there are have ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.retire();
    if (this.#connections.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Cuts every call. */
  async destroy(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.destroy(new errors.ClientDestroyedError());
  }

  #place(call: Http2Call): void {
    if (call.isOver) return;
    if (this.#isClosed) call.abort(new errors.ClientClosedError());
    else this.#connectionFor(call).take(call);
  }

  #connectionFor({ wantsFresh }: Http2Call): Http2Connection {
    this.#leaveOldAddresses();
    const free = [...this.#connections].find(
      (connection) => connection.hasRoom && !(wantsFresh && connection.isUsed),
    );
    if (free !== undefined) return free;
    const usable = [...this.#connections].filter(({ hasRoom }) => hasRoom);
    if (this.#connections.size < this.#settings.connections || usable.length === 0) return this.#connect();
    return usable.reduce((least, each) => (each.load < least.load ? each : least));
  }

  /** A name that leads elsewhere now is followed; calls that are under way end where they are. */
  #leaveOldAddresses(): void {
    const { hostname } = this.#transport.url;
    if (isIP(bare(hostname)) !== 0) return;
    for (const connection of this.#connections) {
      const { address } = connection;
      if (address !== null && names.hasLeft(hostname, address)) connection.retire();
    }
  }

  #connect(): Http2Connection {
    const connection: Http2Connection = new Http2Connection({
      transport: this.#transport,
      maxHeaderBytes: this.#settings.maxHeaderBytes,
      open: this.#open,
      elsewhere: (call) => this.#place(call),
      gone: () => this.#gone(connection),
    });
    this.#connections.add(connection);
    return connection;
  }

  #gone(connection: Http2Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) for (const tell of this.#onIdle.splice(0)) tell();
  }
}
