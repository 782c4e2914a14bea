import {
  type Board,
  EDGES,
  graph,
  orZero,
  orZeroByEdge,
  orZeroByRegion,
  quantile,
  REGIONS,
  type Row,
} from "./parts.ts";

const requests = `sum(rate(meridian_requests_total{${EDGES}}[$__rate_interval]))`;
const shareOf = (reason: string) =>
  orZero(
    `sum(rate(meridian_requests_total{${EDGES},reason=~"${reason}"}[$__rate_interval])) / (${requests} > 0)`,
  );
const counted = (metric: string, by: string, more = "") =>
  `sum by (${by}) (rate(${metric}{${EDGES}${more}}[$__rate_interval]))`;

const PROMISE: Row = {
  title: "Read-your-writes",
  panels: [
    graph(
      "Answers by guarantee",
      "kept is as configured. degraded, cookie-only: Redis is away. stale: the writer is down. lost: a failover lost writes.",
      [[counted("meridian_consistency_total", "outcome"), "{{outcome}}"]],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Answers that did not keep it",
      "The same without kept, as a share. Above 0.1 % somebody should look at Redis and the write region below.",
      [
        [
          orZero(
            `sum(rate(meridian_consistency_total{${EDGES},outcome!="kept"}[$__rate_interval])) / (sum(rate(meridian_consistency_total{${EDGES}}[$__rate_interval])) > 0)`,
          ),
          "not kept",
        ],
      ],
      {
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.001, "red"],
        ],
      },
    ),
    graph(
      "Reads that a pin sent to the writer",
      "pinned: the reader has written lately. only to be safe: nobody knew (over-pinning); above 5 % readers are slow for nothing, so repair Redis.",
      [
        [shareOf("pin"), "pinned"],
        [shareOf("pin-unknown"), "only to be safe"],
      ],
      {
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.05, "orange"],
        ],
      },
    ),
    graph(
      "Replication lag",
      "As the region last said; beyond health.maxLag it does not serve identified readers. Keep it well below consistency.graceWindow.",
      [[orZeroByRegion(`max by (region) (meridian_region_lag_seconds{${REGIONS}})`), "{{region}}"]],
      {
        unit: "s",
        thresholds: [
          [null, "green"],
          [4, "orange"],
        ],
      },
    ),
  ],
};

const PINS: Row = {
  title: "Pins",
  panels: [
    graph(
      "Pins held",
      "By each edge itself. Storms: users whom their writes kept pinned for ten minutes; they read at the writer all the time, so find out what writes.",
      [
        [`sum by (instance) (meridian_pins_active{${EDGES}})`, "{{instance}}"],
        [`sum by (instance) (meridian_pin_storms{${EDGES}})`, "{{instance}} storms"],
      ],
      { unit: "short" },
    ),
    graph(
      "Life of pins",
      "Every begin should end, or be cancelled. expire: the outcome of a write was never known, so a region resets or times out.",
      [[counted("meridian_pins_total", "action"), "{{action}}"]],
      { unit: "ops" },
    ),
    graph(
      "Look-ups per request",
      "Most requests need none. More than before: clients without tokens, or a feed that is behind.",
      [
        [
          orZero(
            `sum(rate(meridian_pin_lookup_seconds_count{${EDGES}}[$__rate_interval])) / (${requests} > 0)`,
          ),
          "look-ups",
        ],
      ],
      { unit: "percentunit" },
    ),
    graph(
      "Time of a look-up",
      "Round trip to Redis. It is added to the reads that need one: above a few milliseconds Redis is far or busy.",
      [
        [quantile(0.5, "meridian_pin_lookup_seconds"), "p50"],
        [quantile(0.99, "meridian_pin_lookup_seconds"), "p99"],
      ],
      { unit: "s" },
    ),
    graph(
      "Errors of the pin store",
      "Commands that failed or timed out. Five in a row, and the edge asks Redis no more until it is back.",
      [
        [
          `${counted("meridian_pin_store_errors_total", "op")} or label_replace(vector(0), "op", "none", "", "")`,
          "{{op}}",
        ],
      ],
      { unit: "ops" },
    ),
    graph(
      "Age of the feed",
      "Mode bounded: how old what an edge knows of other edges' writes is; 0 in other modes. At consistency.staleness its reads are looked up.",
      [[orZeroByEdge(`max by (instance) (meridian_pin_feed_age_seconds{${EDGES}})`), "{{instance}}"]],
      { unit: "s" },
    ),
    graph(
      "Feeds that fell behind",
      "Times an edge knew less of others' writes than consistency.staleness asks for. Often: Redis is slow, or staleness is too short for the distance.",
      [
        [
          `sum by (instance) (increase(meridian_pin_feed_behind_total{${EDGES}}[$__rate_interval]))`,
          "{{instance}}",
        ],
      ],
      { unit: "short" },
    ),
  ],
};

const SESSIONS: Row = {
  title: "Sessions",
  panels: [
    graph(
      "Sessions",
      "Requests that belong to a session: hit where it lives, moved to a new region, new, kept after a detour.",
      [[counted("meridian_affinity_total", "result", ',result!="none"'), "{{result}}"]],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Sessions that moved",
      "Share of the requests of sessions. Zero in calm; a rise is a region that went down or was closed.",
      [
        [
          orZero(
            `sum(rate(meridian_affinity_total{${EDGES},result="moved"}[$__rate_interval])) / (sum(rate(meridian_affinity_total{${EDGES},result!="none"}[$__rate_interval])) > 0)`,
          ),
          "moved",
        ],
      ],
      { unit: "percentunit" },
    ),
  ],
};

export const CONSISTENCY: Board = {
  uid: "meridian-consistency",
  title: "Meridian: consistency",
  description: "Whether whoever has written reads it, what that costs, and what of it failed.",
  rows: [PROMISE, PINS, SESSIONS],
};
