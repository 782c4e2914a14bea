import type { Socket } from "node:net";
import { type buildConnector, Client, type Dispatcher } from "undici";
import { type Bagged, NOWHERE } from "../bag.ts";
import { hearOut } from "./hear-out.ts";

/** What a request goes over. */
export interface UsedConnection {
  /** Call it when a request is written: answers whether it is not the first one over this connection. */
  takesRequest(): boolean;
  /** Whether it has ended by an error, and not by the other side's word. */
  readonly brokeOff: boolean;
}

/** A handler of requests that wants to know what they go over. */
export interface ConnectionHandler extends Dispatcher.DispatchHandler {
  /** Whether a connection that was kept from an earlier request is not good enough. */
  readonly wantsFresh: boolean;
  /** Told before its request is sent. */
  onConnection(connection: UsedConnection): void;
}

/**
 * One connection of a pool, made anew whenever it has ended. undici tells nobody whether a request went over one that had
 * been kept; but the other side may close what is idle at any time, so its death then says nothing of the other side.
 */
export class Connection extends Client implements UsedConnection, Bagged {
  bagIndex = NOWHERE;
  readonly #present: Present;
  readonly #hasLeft: HasLeft;

  /** @param hasLeft whether the name that was connected to has other addresses now, and this one no more */
  constructor(origin: URL, options: Client.Options, connect: buildConnector.connector, hasLeft: HasLeft) {
    const present: Present = { socket: null, address: null, requests: 0 };
    super(origin, { ...options, connect: kept(connect, present) });
    this.#present = present;
    this.#hasLeft = hasLeft;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { address } = this.#present;
    let mustBeNew = address !== null && this.#hasLeft(address);
    if (isConnectionHandler(handler)) {
      handler.onConnection(this);
      mustBeNew ||= handler.wantsFresh;
    }
    if (mustBeNew) this.#letGo();
    return super.dispatch(options, handler);
  }

  takesRequest(): boolean {
    this.#present.requests += 1;
    return this.#present.requests > 1;
  }

  /** Whether no request is under way or waits. */
  get isIdle(): boolean {
    return this.stats.size === 0;
  }

  get isOpen(): boolean {
    return this.#present.socket?.destroyed === false;
  }

  get brokeOff(): boolean {
    return (this.#present.socket?.errored ?? null) !== null;
  }

  /** Whoever comes next gets another connection; a request that is under way keeps this one. */
  #letGo(): void {
    if (this.isIdle) this.#present.socket?.destroy();
  }
}

type HasLeft = (address: string) => boolean;

/** What there is of a connection now. */
interface Present {
  socket: Socket | null;
  /** Of the other side. */
  address: string | null;
  /** How many it has carried. */
  requests: number;
}

function kept(connect: buildConnector.connector, present: Present): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...made) => {
      present.socket = made[1];
      if (made[1]) hearOut(made[1]);
      present.address = made[1]?.remoteAddress ?? null;
      present.requests = 0;
      callback(...made);
    });
}

function isConnectionHandler(handler: Dispatcher.DispatchHandler): handler is ConnectionHandler {
  return "onConnection" in handler;
}
