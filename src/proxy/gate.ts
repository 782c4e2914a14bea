import type { Endpoint } from "../regions/table.ts";

/** Someone who waits for a connection to become free. */
interface Waiter {
  readonly admit: (admitted: boolean) => void;
}

/**
 * Lets as many requests into an endpoint at a time as it may have connections. undici queues by itself, but its
 * queue has no deadline, and a request cannot leave it without costing a connection.
 */
export class Gates {
  readonly #byEndpoint = new WeakMap<Endpoint, { inside: number; readonly waiting: Set<Waiter> }>();

  /**
   * True once the request may go in, at once if it can; call {@link leave} exactly once for it then. False when
   * `waitMs` have passed, or `leaving` called its listener, before there was room.
   */
  enter(
    endpoint: Endpoint,
    limit: number,
    waitMs: number,
    leaving: (listener: () => void) => () => void,
  ): true | Promise<boolean> {
    const gate = this.#gate(endpoint);
    if (gate.inside < limit) {
      gate.inside += 1;
      return true;
    }
    return new Promise((resolve) => {
      const admit = (admitted: boolean): void => {
        gate.waiting.delete(waiter);
        clearTimeout(timer);
        stopListening();
        resolve(admitted);
      };
      const waiter: Waiter = { admit };
      const timer = setTimeout(admit, waitMs, false);
      const stopListening = leaving(() => admit(false));
      gate.waiting.add(waiter);
    });
  }

  leave(endpoint: Endpoint): void {
    const gate = this.#gate(endpoint);
    const [next] = gate.waiting;
    if (next === undefined) gate.inside -= 1;
    else next.admit(true);
  }

  #gate(endpoint: Endpoint): { inside: number; readonly waiting: Set<Waiter> } {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const fresh = { inside: 0, waiting: new Set<Waiter>() };
    this.#byEndpoint.set(endpoint, fresh);
    return fresh;
  }
}
