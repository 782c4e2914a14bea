import { collectDefaultMetrics, Registry } from "prom-client";

/**
 * Left out: a second measure of the event loop (`meridian_event_loop_lag_seconds` is the one), and counts
 * of active handles, which walk every open socket at each scrape.
 */
const LEFT_OUT = /^nodejs_(eventloop_|active_)/;

let registry: Registry | null = null;

/** The metrics of the process (CPU, memory, descriptors, collections), once, however many edges it runs. */
export function processMetrics(): Registry {
  registry ??= collect();
  return registry;
}

function collect(): Registry {
  const all = new Registry();
  collectDefaultMetrics({ register: all, eventLoopMonitoringPrecision: 60_000 });
  for (const { name } of all.getMetricsAsArray()) {
    if (LEFT_OUT.test(name)) all.removeSingleMetric(name);
  }
  return all;
}
