import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { TalliedHistogram } from "./tallied-histogram.ts";

/** OpenTelemetry's advice for HTTP durations, in seconds. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** What an edge adds itself, and a round trip to a near Redis, are mostly below a millisecond. */
const FINE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** Writes wait for ten seconds, unless configured otherwise; and a hook may take a minute. */
const MOVE_BUCKETS = [0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80];

export type Instruments = ReturnType<typeof createInstruments>;

/**
 * Every metric of an edge, registered in `registry` under the prefix `meridian_`. Base units are in the
 * names, a help text names the denominator, and a label only takes words from a fixed list or from the
 * configuration: never a path, an address or a user.
 */
export function createInstruments(registry: Registry) {
  return {
    ...requestInstruments(registry),
    ...regionInstruments(registry),
    ...limitInstruments(registry),
    ...fleetInstruments(registry),
    ...drillInstruments(registry),
    ...edgeInstruments(registry),
  };
}

function requestInstruments(registry: Registry) {
  const { counter, gauge, tallied } = makers(registry);
  return {
    requests: counter(
      "requests_total",
      "Requests that ended, refused ones included; region and reason are none when no region was chosen.",
      ["region", "method", "code_class", "reason"],
    ),
    faults: counter(
      "faults_total",
      "Requests that ended in a fault, of requests_total; the owner (client, router, region) has to act.",
      ["fault", "owner", "region"],
    ),
    requestSeconds: tallied(
      "request_duration_seconds",
      "Arrival of the head to the end of the response, of every request but WebSocket tunnels.",
      REQUEST_BUCKETS,
      "region",
    ),
    upstreamSeconds: tallied(
      "upstream_duration_seconds",
      "Dispatch to response head of the last attempt, of every request that was dispatched to a region.",
      REQUEST_BUCKETS,
      "region",
    ),
    overheadSeconds: tallied(
      "edge_overhead_seconds",
      "Time to the response head that was not the region's, of every request that got a head from one.",
      FINE_BUCKETS,
    ),
    consistency: counter(
      "consistency_total",
      "Requests served by a region, by what became of the configured consistency guarantee.",
      ["outcome"],
    ),
    affinity: counter(
      "affinity_total",
      "Requests served by a region, by what became of their session; none means that there is no session.",
      ["result"],
    ),
    retries: counter("retries_total", "Attempts after the first, by the fault that caused them.", ["reason"]),
    budgetExhausted: counter(
      "retry_budget_exhausted_total",
      "Attempts that the rules allowed and the retry budget refused.",
    ),
    tunnels: gauge("tunnels", "WebSocket tunnels open now.", ["region"]),
    eventStreams: gauge(
      "event_streams",
      "Event streams open now, of those that a close of their region ends.",
      ["region"],
    ),
  };
}

function regionInstruments(registry: Registry) {
  const { counter, gauge } = makers(registry);
  return {
    health: gauge("region_health", "1 for the health this edge sees, 0 for the other states.", [
      "region",
      "state",
    ]),
    admission: gauge("region_admission", "1 for the operator's word, 0 for the other states.", [
      "region",
      "state",
    ]),
    latency: gauge("region_latency_seconds", "Smoothed probe round trip; absent until one was measured.", [
      "region",
    ]),
    lag: gauge(
      "region_lag_seconds",
      "Replication lag as the region's last probe said; absent when it says none.",
      ["region"],
    ),
    probes: counter("probes_total", "Probes that ended, by result.", ["region", "result"]),
    healthTransitions: counter(
      "health_transitions_total",
      "Changes of a region's health, by the new state.",
      ["region", "to"],
    ),
    nameFailures: counter(
      "name_failures_total",
      "Times that a region's name was not resolved, or not within 500 ms, and its last addresses served.",
    ),
    writeRegion: gauge("write_region", "1 for a region that takes writes, 0 for the others.", ["region"]),
    writeEpoch: gauge("write_epoch", "Epoch of the write region as this edge knows it."),
  };
}

function limitInstruments(registry: Registry) {
  const { counter, gauge } = makers(registry);
  return {
    connections: gauge("connections", "Connections of clients open now, by the listener they came in by.", [
      "listener",
    ]),
    connectionsLimit: gauge(
      "connections_limit",
      "Connections of clients that are taken at most: as configured, or what this process has descriptors for.",
    ),
    connectionsRefused: counter(
      "connections_refused_total",
      "Connections that were not taken, by what there was too much or too little of.",
      ["cause"],
    ),
    overload: gauge("overload", "1 while new connections are refused for want of this, else 0.", ["cause"]),
    inFlight: gauge("requests_in_flight", "Requests at a region now, WebSocket tunnels apart.", ["region"]),
    queued: gauge(
      "requests_queued",
      "Requests that wait now for a place at their region, or for a connection to it.",
      ["region"],
    ),
    headsRefused: counter(
      "heads_refused_total",
      "Connections that ended because what came over them was no request, by the fault; not in requests_total.",
      ["fault"],
    ),
  };
}

function drillInstruments(registry: Registry) {
  const { counter, gauge } = makers(registry);
  return {
    drills: counter(
      "drills_total",
      "Drills whose report this edge has written, by result; of each drill one edge has.",
      ["region", "result"],
    ),
    drillRunning: gauge("drill_running", "1 while this edge behaves as if the region were lost, else 0.", [
      "region",
    ]),
    drillRecovery: gauge(
      "drill_recovery_seconds",
      "Until clients felt nothing any more, in the last drill; 0: never did. Absent if they did to its end.",
      ["region"],
    ),
  };
}

function fleetInstruments(registry: Registry) {
  const { counter, gauge, histogram } = makers(registry);
  return {
    fleetEdges: gauge(
      "fleet_edges",
      "Edges that this one shares its memory with, itself included, by state.",
      ["state"],
    ),
    fleetAge: gauge(
      "fleet_age_seconds",
      "Since the fleet's shared memory was last heard; absent without Redis.",
    ),
    fenced: gauge("region_fenced", "1 for a region that takes writes of an epoch that is over, else 0.", [
      "region",
    ]),
    moving: gauge("write_region_moving", "1 while the write region moves and writes wait, else 0."),
    writesHeld: gauge("writes_held", "Writes that wait at this edge for the write region to have moved."),
    writesUnderWay: gauge("writes_under_way", "Writes that this edge has sent and that have not ended."),
    moves: counter(
      "moves_total",
      "Moves of the write region that ended while this edge watched, by result.",
      ["result"],
    ),
    moveSeconds: histogram(
      "move_duration_seconds",
      "For how long no edge took writes, of moves that ended while this edge watched.",
      MOVE_BUCKETS,
    ),
  };
}

function edgeInstruments(registry: Registry) {
  const { counter, gauge, histogram } = makers(registry);
  return {
    pins: counter("pins_total", "Steps in the life of this edge's pins.", ["action"]),
    pinStorms: gauge(
      "pin_storms",
      "Users whom their writes through this edge have kept pinned for ten minutes.",
    ),
    pinsActive: gauge("pins_active", "Pins that this edge holds itself now."),
    pinStoreErrors: counter("pin_store_errors_total", "Pin store commands that failed or timed out.", ["op"]),
    pinLookupSeconds: histogram(
      "pin_lookup_seconds",
      "Round trip of a pin look-up, of those reads that needed one.",
      FINE_BUCKETS,
    ),
    redisUp: gauge("redis_up", "1 while Redis answers, else 0; absent without Redis."),
    feedAge: gauge(
      "pin_feed_age_seconds",
      "Age of what this edge knows of others' writes; absent but in mode bounded over Redis.",
    ),
    feedBehind: counter(
      "pin_feed_behind_total",
      "Times that this age has reached the staleness; until it is below, reads are looked up.",
    ),
    adminRefused: counter(
      "admin_refused_total",
      "Calls of the admin API that were refused for who made them, or from where.",
      ["fault"],
    ),
    adminLockouts: counter(
      "admin_lockouts_total",
      "Times that an address gave so many wrong tokens that it was locked out of the admin API.",
    ),
    certificateExpiry: gauge(
      "certificate_expiry_timestamp_seconds",
      "When a certificate that this edge shows expires, in Unix time; absent without one.",
      ["certificate"],
    ),
    configReloads: counter("config_reloads_total", "Reloads of the configuration, by result.", ["result"]),
    reloadSuccessful: gauge(
      "config_last_reload_successful",
      "1 while the file that was read last is in force, 0 after one that was rejected.",
    ),
    calendarMisses: counter(
      "calendar_misses_total",
      "Windows of the calendar that this edge saw nobody begin, or that were refused.",
      ["kind", "result"],
    ),
    logLinesDropped: counter(
      "log_lines_dropped_total",
      "Log lines lost because standard output did not take them.",
    ),
    uncaughtErrors: counter(
      "uncaught_errors_total",
      "Bugs of ours that nothing caught; more than 60 in a minute end the process.",
      ["origin"],
    ),
    workers: gauge("workers", "Processes of this edge that listen for clients now."),
    workerRestarts: counter("worker_restarts_total", "Workers that ended unasked and were replaced."),
    eventLoopLag: gauge(
      "event_loop_lag_seconds",
      "How late the event loop ran its timers since the last scrape; quantile 1 is the worst.",
      ["quantile"],
    ),
    buildInfo: gauge("build_info", "Always 1; says what is running.", ["version", "edge", "node"]),
  };
}

function makers(registry: Registry) {
  const registers = [registry];
  return {
    counter: <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Counter<L>({ name: `meridian_${name}`, help, labelNames, registers }),
    gauge: <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Gauge<L>({ name: `meridian_${name}`, help, labelNames, registers }),
    histogram: <L extends string = never>(
      name: string,
      help: string,
      buckets: readonly number[],
      labelNames: readonly L[] = [],
    ) => new Histogram<L>({ name: `meridian_${name}`, help, buckets: [...buckets], labelNames, registers }),
    tallied: (name: string, help: string, buckets: readonly number[], label: string | null = null) =>
      new TalliedHistogram({ name: `meridian_${name}`, help, buckets, label }, registry),
  };
}
