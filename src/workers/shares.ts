import { availableParallelism } from "node:os";
import type { Config } from "../config/schema.ts";

/** How many processes carry the requests of an edge. */
export function workersOf({ workers }: Pick<Config, "workers">): number {
  return workers === "auto" ? availableParallelism() : workers;
}

/**
 * The configuration as one of `workers` has to keep it: what bounds the load of a region or of the machine is shared out, so that
 * the edge as a whole does not take more than its file says.
 */
export function shareOf(config: Config, workers: number): Config {
  const share = (most: number): number => Math.ceil(most / workers);
  const { limits, proxy } = config;
  return {
    ...config,
    limits: {
      ...limits,
      connections: share(limits.connections),
      requestsPerRegion: share(limits.requestsPerRegion),
      queue: { ...limits.queue, length: share(limits.queue.length) },
    },
    proxy: {
      ...proxy,
      connectionsPerEndpoint: share(proxy.connectionsPerEndpoint),
      retryBudget: { ...proxy.retryBudget, floor: share(proxy.retryBudget.floor) },
    },
  };
}
