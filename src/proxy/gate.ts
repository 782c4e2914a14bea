import type { Endpoint } from "../regions/table.ts";

/** Lets one who waits in, or tells it that it waited in vain. */
type Admit = (admitted: boolean) => void;

interface Gate {
  inside: number;
  /** As the last to come knew it; a reload may change it. */
  limit: number;
  readonly waiting: Set<Admit>;
}

/**
 * Lets as many requests into an endpoint at a time as it may have connections. undici queues by itself, but its
 * queue has no deadline, and a request cannot leave it without costing a connection.
 */
export class Gates {
  readonly #byEndpoint = new WeakMap<Endpoint, Gate>();

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
    const gate = this.#gate(endpoint, limit);
    admitWaiting(gate);
    if (gate.inside < limit) {
      gate.inside += 1;
      return true;
    }
    return new Promise((resolve) => {
      const admit: Admit = (admitted) => {
        gate.waiting.delete(admit);
        clearTimeout(timer);
        stopListening();
        resolve(admitted);
      };
      const timer = setTimeout(admit, waitMs, false);
      const stopListening = leaving(() => admit(false));
      gate.waiting.add(admit);
    });
  }

  leave(endpoint: Endpoint): void {
    const gate = this.#byEndpoint.get(endpoint);
    if (gate === undefined) return;
    gate.inside -= 1;
    admitWaiting(gate);
  }

  #gate(endpoint: Endpoint, limit: number): Gate {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) {
      known.limit = limit;
      return known;
    }
    const fresh: Gate = { inside: 0, limit, waiting: new Set() };
    this.#byEndpoint.set(endpoint, fresh);
    return fresh;
  }
}

/** In the order in which they came. */
function admitWaiting(gate: Gate): void {
  for (const admit of gate.waiting) {
    if (gate.inside >= gate.limit) return;
    gate.inside += 1;
    admit(true);
  }
}
