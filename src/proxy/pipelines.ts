import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

/** So many requests may wait on one connection before no more are read from it. */
const MAX_WAITING = 16;

interface Turn {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly start: () => void;
}

/** What a connection has asked and not been answered yet; the first one is being answered. */
interface Queue {
  readonly turns: Turn[];
  paused: boolean;
  /** Done once, when all are answered. */
  last: (() => void) | null;
}

/**
 * The requests of each connection, one at a time. Node tells of pipelined requests as fast as they come and would have
 * them all answered at once; but a read behind a write expects to see it (RFC 9112 §9.3.2), and a thousand requests in
 * one packet are not to be a thousand requests to a region.
 */
export class Pipelines {
  readonly #queues = new WeakMap<Duplex, Queue>();

  /** Whether something is being answered on a connection. */
  isBusy(socket: Duplex): boolean {
    return this.newest(socket) !== null;
  }

  /** The request that came last of those that are not answered; null without any. */
  newest(socket: Duplex): Pick<Turn, "req" | "res"> | null {
    return this.#queues.get(socket)?.turns.at(-1) ?? null;
  }

  /** Whether a request is the only one of its connection that is not answered. */
  isAlone(socket: Duplex): boolean {
    return this.#queues.get(socket)?.turns.length === 1;
  }

  /** Starts a request once those before it are answered; never, if that has ended its connection. */
  enter(req: IncomingMessage, res: ServerResponse, start: () => void): void {
    const { socket } = req;
    if (!socket.writable) return;
    const queue = this.#queues.get(socket) ?? this.#begun(socket);
    queue.turns.push({ req, res, start });
    if (queue.turns.length === 1) this.#begin(socket, queue);
    else if (queue.turns.length > MAX_WAITING && !queue.paused) {
      queue.paused = true;
      socket.pause();
    }
  }

  /** Does something once all that a connection has asked is answered, if it can still be written to then. */
  afterAll(socket: Duplex, act: () => void): void {
    const queue = this.#queues.get(socket);
    if (queue === undefined || queue.turns.length === 0) act();
    else queue.last = act;
  }

  #begun(socket: Duplex): Queue {
    const queue: Queue = { turns: [], paused: false, last: null };
    this.#queues.set(socket, queue);
    return queue;
  }

  #begin(socket: Duplex, queue: Queue): void {
    const [turn] = queue.turns;
    turn?.res.once("close", () => this.#next(socket, queue));
    turn?.start();
  }

  #next(socket: Duplex, queue: Queue): void {
    queue.turns.shift();
    if (!socket.writable) queue.turns.length = 0;
    else if (queue.turns.length > 0) this.#begin(socket, queue);
    else queue.last?.();
    if (queue.paused && queue.turns.length <= MAX_WAITING) {
      queue.paused = false;
      socket.resume();
    }
  }
}
