import { type Aggregator, AggregatorRegistry, type MetricObject, type Registry } from "prom-client";

/** What one process says of one metric. */
export type MetricValues = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>[number];

/**
 * What is not summed, since it is not a share of the whole. Every process knows the state of the edge and of its fleet, and the
 * process that leads the others has the word.
 */
const MERGED: Readonly<Record<string, readonly string[]>> = {
  first: [
    "meridian_region_health",
    "meridian_region_admission",
    "meridian_region_latency_seconds",
    "meridian_region_lag_seconds",
    "meridian_region_fenced",
    "meridian_health_transitions_total",
    "meridian_write_region",
    "meridian_write_epoch",
    "meridian_write_region_moving",
    "meridian_moves_total",
    "meridian_move_duration_seconds",
    "meridian_fleet_edges",
    "meridian_fleet_age_seconds",
    "meridian_drills_total",
    "meridian_drill_running",
    "meridian_drill_recovery_seconds",
    "meridian_calendar_misses_total",
    "meridian_config_last_reload_successful",
    "meridian_certificate_expiry_timestamp_seconds",
    "meridian_workers",
    "meridian_worker_restarts_total",
    "meridian_build_info",
    "process_start_time_seconds",
    "nodejs_version_info",
  ],
  max: ["meridian_overload", "meridian_pin_feed_age_seconds", "meridian_event_loop_lag_seconds"],
  min: ["meridian_redis_up"],
};

const AGGREGATORS = new Map(
  Object.entries(MERGED).flatMap(([how, names]) => names.map((name) => [name, how as Aggregator] as const)),
);

/** How the values of the processes of an edge become one. */
export function aggregatorOf(name: string): Aggregator {
  return AGGREGATORS.get(name) ?? "sum";
}

/** The metrics of an edge for Prometheus, of what its processes say; the first is the one that leads the others. */
export function mergedText(processes: readonly (readonly MetricValues[])[]): Promise<string> {
  return merged(processes).metrics();
}

/** What still counts when these processes are gone: a sum that went back would look like a restart. */
export function leftBehind(
  processes: readonly (readonly MetricValues[])[],
): Promise<readonly MetricValues[]> {
  const counted = processes.map((metrics) => metrics.filter(isCounted));
  return merged(counted).getMetricsAsJSON();
}

function merged(processes: readonly (readonly MetricValues[])[]): Registry {
  const named = processes.map((metrics) =>
    metrics.map((metric) => ({ ...metric, aggregator: aggregatorOf(metric.name) })),
  );
  return AggregatorRegistry.aggregate(named as unknown as MetricObject[]);
}

/** prom-client says the type as a word here, whatever its own declaration says. */
function isCounted({ type }: MetricValues): boolean {
  return ["counter", "histogram"].includes(String(type));
}
