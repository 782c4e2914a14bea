import type { Config } from "../config/schema.ts";
import type { Endpoint } from "../regions/table.ts";
import { Gate, type Place, type Wish } from "./gate.ts";

/** What a request says of itself at both gates. */
export type Comer = Pick<Wish, "arriving" | "leaving">;

export interface RegionLoad {
  readonly inFlight: number;
  readonly queued: number;
}

/** The two gates before each endpoint: how many requests its region may have, and how many connections it. */
export class Gates {
  readonly #now: () => number;
  readonly #byRegion = new Map<string, Gate>();
  readonly #byEndpoint = new WeakMap<Endpoint, Gate>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A place among the requests that a region may have in flight; null when there was none in time. */
  enterRegion(region: string, { limits }: Config, comer: Comer): Place | null | Promise<Place | null> {
    const { requestsPerRegion, queue } = limits;
    return this.#ofRegion(region).enter({
      arriving: comer.arriving,
      leaving: comer.leaving,
      limit: requestsPerRegion === 0 ? Number.POSITIVE_INFINITY : requestsPerRegion,
      waitMs: queue.timeout,
      mostWaiting: queue.length,
    });
  }

  /**
   * A connection to an endpoint; null when none was free in time. undici queues by itself, but its queue has no
   * deadline, and a request cannot leave it without costing a connection.
   */
  enterEndpoint(endpoint: Endpoint, { proxy }: Config, comer: Comer): Place | null | Promise<Place | null> {
    return this.#ofEndpoint(endpoint).enter({
      arriving: comer.arriving,
      leaving: comer.leaving,
      limit: proxy.connectionsPerEndpoint,
      waitMs: proxy.connectTimeout,
      mostWaiting: Number.POSITIVE_INFINITY,
    });
  }

  /** Requests at a region, and those that wait for a place there or for a connection to one of its endpoints. */
  regionLoad(region: string, endpoints: readonly Endpoint[]): RegionLoad {
    const gate = this.#byRegion.get(region);
    const queued = endpoints.reduce(
      (sum, endpoint) => sum + (this.#byEndpoint.get(endpoint)?.waiting ?? 0),
      gate?.waiting ?? 0,
    );
    return { inFlight: gate?.inside ?? 0, queued };
  }

  #ofRegion(region: string): Gate {
    const known = this.#byRegion.get(region);
    if (known !== undefined) return known;
    const fresh = new Gate(this.#now);
    this.#byRegion.set(region, fresh);
    return fresh;
  }

  #ofEndpoint(endpoint: Endpoint): Gate {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const fresh = new Gate(this.#now);
    this.#byEndpoint.set(endpoint, fresh);
    return fresh;
  }
}
