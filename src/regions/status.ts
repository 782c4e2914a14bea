import type { Health, Region } from "../routing/region.ts";
import type { ProbeResult } from "./probe.ts";
import type { RegionState } from "./region-state.ts";

/** One endpoint in `GET /v1/regions`. */
export interface EndpointStatus {
  readonly url: string;
  readonly health: Health;
  readonly draining: boolean;
  readonly latencyMs: number | null;
  readonly lagMs: number | null;
  readonly requestsInFlight: number;
  readonly failuresInARow: number;
  /** What its last answer claimed; null where it said nothing. */
  readonly writer: boolean | null;
  readonly epoch: number | null;
  readonly applied: string | null;
  /** `at` is ISO 8601. Null before the first. */
  readonly lastProbe: {
    readonly result: ProbeResult;
    readonly cause: string | null;
    readonly at: string;
  } | null;
}

/**
 * One region in `GET /v1/regions`: as a decision sees it, but latency and lag are exact, not stepped as in a view.
 * `admission` is the one in force: the operator's, or the region's own wish to be drained.
 */
export interface RegionStatus extends Omit<Region, "applied" | "writer"> {
  readonly requestsInFlight: number;
  readonly endpoints: readonly EndpointStatus[];
}

export function regionStatus(state: RegionState): RegionStatus {
  const { id, role, jurisdiction, weight, health, admission, fenced, warmth } = state.seen;
  const requestsInFlight = state.endpoints.reduce((sum, endpoint) => sum + endpoint.requestsInFlight, 0);
  return {
    id,
    role,
    jurisdiction,
    weight,
    health,
    admission,
    fenced,
    latencyMs: rounded(state.latencyMs),
    lagMs: rounded(state.lagMs),
    warmth,
    requestsInFlight,
    endpoints: state.endpoints.map(endpointStatus),
  };
}

function endpointStatus(endpoint: RegionState["endpoints"][number]): EndpointStatus {
  const { health, draining, requestsInFlight, failuresInARow, lastProbe } = endpoint;
  const { writer, epoch, applied } = endpoint.reported;
  return {
    url: endpoint.origin,
    health,
    draining,
    latencyMs: rounded(endpoint.latencyMs),
    lagMs: rounded(endpoint.lagMs),
    requestsInFlight,
    failuresInARow,
    writer,
    epoch,
    applied,
    lastProbe: lastProbe && {
      result: lastProbe.result,
      cause: lastProbe.cause,
      at: new Date(lastProbe.atWallMs).toISOString(),
    },
  };
}

/** To a hundredth of a millisecond: the rest is noise on a screen. */
function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 100) / 100;
}
