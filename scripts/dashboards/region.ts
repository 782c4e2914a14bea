import { type Board, EDGES, graph, orZeroByRegion, quantile, REGIONS, type Row } from "./parts.ts";

const byRegion = (q: number, metric: string) =>
  orZeroByRegion(
    `histogram_quantile(${q}, sum by (le, region) (rate(${metric}_bucket{${REGIONS}}[$__rate_interval]))) >= 0`,
  );

const CLIENTS: Row = {
  title: "What clients get from it",
  panels: [
    graph(
      "Requests of the region",
      "Ended here, by class of status. None although it is up: it is drained, or others are nearer; meridian explain GET / says which.",
      [
        [
          `sum by (region, code_class) (rate(meridian_requests_total{${REGIONS},region!="none"}[$__rate_interval])) or 0 * max by (region) (meridian_write_region{${REGIONS}})`,
          "{{region}} {{code_class}}",
        ],
      ],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Faults of the region",
      "Attempts that failed here and that no retry hid, by kind. reset, response_timeout: its processes; connect_failed: its network.",
      [
        [
          `sum by (region, fault) (rate(meridian_faults_total{${REGIONS},region!="none"}[$__rate_interval])) > 0 or label_replace(0 * max by (region) (meridian_write_region{${REGIONS}}), "fault", "none", "", "")`,
          "{{region}} {{fault}}",
        ],
      ],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Response head, p50 and p95",
      "Dispatch to response head of the last attempt: what the region itself takes, its distance included.",
      [
        [byRegion(0.5, "meridian_upstream_duration_seconds"), "{{region}} p50"],
        [byRegion(0.95, "meridian_upstream_duration_seconds"), "{{region}} p95"],
      ],
      { unit: "s" },
    ),
    graph(
      "Whole response, p99",
      "To the end of the body. Far above the head: large bodies, or clients that read slowly.",
      [[quantile(0.99, "meridian_request_duration_seconds", REGIONS), "p99"]],
      { unit: "s" },
    ),
  ],
};

const PROBES: Row = {
  title: "What probes say",
  panels: [
    graph(
      "Probes by result",
      "Anything but pass counts toward health.fall. timeout: slow or far; status, body: it says itself that it is ill; connect: nobody listens.",
      [
        [
          `sum by (region, result) (rate(meridian_probes_total{${REGIONS}}[$__rate_interval]))`,
          "{{region}} {{result}}",
        ],
      ],
      { unit: "ops", stacked: "normal" },
    ),
    graph(
      "Changes of health, by state",
      "When it went down and came back, counted by each edge.",
      [
        [
          `sum by (region, to) (increase(meridian_health_transitions_total{${REGIONS}}[$__rate_interval]))`,
          "{{region}} to {{to}}",
        ],
      ],
      { unit: "short" },
    ),
    graph(
      "Latency by edge",
      "Smoothed probe round trip as each edge measures it. One edge alone that is far: its network.",
      [
        [
          `max by (instance, region) (meridian_region_latency_seconds{${REGIONS}})`,
          "{{instance}} {{region}}",
        ],
      ],
      { unit: "s" },
    ),
    graph(
      "Lag of the region",
      "As its last probe said. Beyond health.maxLag it serves no identified readers.",
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

const LOAD: Row = {
  title: "What is there",
  panels: [
    graph(
      "Requests in flight, and waiting",
      "Waiting: the region has its limits.requestsPerRegion, or its endpoints their proxy.connectionsPerEndpoint. Add endpoints before raising them.",
      [
        [`sum by (region) (meridian_requests_in_flight{${REGIONS}})`, "{{region}}"],
        [`sum by (region) (meridian_requests_queued{${REGIONS}})`, "{{region}} waiting"],
      ],
      { unit: "short" },
    ),
    graph(
      "Tunnels and event streams",
      "WebSockets and event streams open now: what a drain waits for.",
      [
        [`sum by (region) (meridian_tunnels{${REGIONS}})`, "{{region}} tunnels"],
        [`sum by (region) (meridian_event_streams{${REGIONS}})`, "{{region}} streams"],
      ],
      { unit: "short" },
    ),
    graph(
      "Names not resolved",
      "The resolver failed or took over 500 ms, and the last addresses serve. If it goes on, repair DNS before an address changes.",
      [
        [
          `sum by (instance) (increase(meridian_name_failures_total{${EDGES}}[$__rate_interval]))`,
          "{{instance}}",
        ],
      ],
      { unit: "short" },
    ),
    graph(
      "Fenced",
      "1 while the region takes writes of an epoch that is over: its database has not learnt that another was promoted. Make it a replica.",
      [[`max by (region) (meridian_region_fenced{${REGIONS}})`, "{{region}}"]],
      {
        unit: "short",
        thresholds: [
          [null, "green"],
          [1, "red"],
        ],
      },
    ),
  ],
};

export const REGION: Board = {
  uid: "meridian-region",
  title: "Meridian: one region",
  description: "Choose a region above. What its clients get, what probes say of it, and what is there.",
  rows: [CLIENTS, PROBES, LOAD],
};
