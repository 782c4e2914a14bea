import {
  admissions,
  type Board,
  EDGES,
  graph,
  orZero,
  orZeroByRegion,
  quantile,
  REGIONS,
  type Row,
  stat,
  states,
  table,
} from "./parts.ts";

const requests = `sum(rate(meridian_requests_total{${EDGES}}[$__rate_interval]))`;
const faults = `sum(rate(meridian_faults_total{${EDGES},owner!="client"}[$__rate_interval]))`;

const NOW: Row = {
  title: "Now",
  panels: [
    stat(
      "Requests",
      "Requests a second that ended, of all kinds. A sudden fall is a fault before the edges: look at DNS and balancers.",
      [orZero(requests), ""],
      { unit: "reqps" },
    ),
    stat(
      "Ended in a fault",
      "Share of all requests that the router or a region failed; a 5xx that an application answers is no fault. Above 0.1 % the error budget burns: see Faults below for the word.",
      [orZero(`${faults} / (${requests} > 0)`), ""],
      {
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.001, "orange"],
          [0.01, "red"],
        ],
      },
    ),
    stat(
      "Response time, p99",
      "Of every request but WebSocket tunnels. Compare with What the edge adds, in edge internals: the rest is the region's.",
      [quantile(0.99, "meridian_request_duration_seconds"), ""],
      { unit: "s" },
    ),
    stat(
      "Regions up",
      "Regions that every selected edge sees up. Fewer than two: there is nowhere to fail over to, so drain nothing.",
      [`count(min by (region) (meridian_region_health{${EDGES},state="up"}) == 1) or vector(0)`, ""],
      {
        unit: "none",
        thresholds: [
          [null, "red"],
          [1, "orange"],
          [2, "green"],
        ],
      },
    ),
    stat(
      "Writes go to",
      "The write region; each writer where all of them take writes. meridian promote moves it.",
      [`max by (region) (meridian_write_region{${EDGES}}) == 1`, "{{region}}"],
      { unit: "none", named: true },
    ),
    stat(
      "Promises not kept",
      "Requests in the range shown that were served with less than the configured consistency; each was told so. Anything but 0: open the consistency dashboard.",
      [orZero(`sum(increase(meridian_consistency_total{${EDGES},outcome!="kept"}[$__range]))`), ""],
      {
        unit: "short",
        thresholds: [
          [null, "green"],
          [1, "orange"],
        ],
      },
    ),
  ],
};

const TRAFFIC: Row = {
  title: "Traffic",
  panels: [
    graph(
      "Requests by class of status",
      "What the clients got. 5xx without faults below are the application's own.",
      [
        [
          `sum by (code_class) (rate(meridian_requests_total{${REGIONS}}[$__rate_interval]))`,
          "{{code_class}}",
        ],
      ],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Response time",
      "Head arrived to response ended. If only p99 rises, look for one slow region in its dashboard.",
      [0.5, 0.95, 0.99].map(
        (q) => [quantile(q, "meridian_request_duration_seconds", REGIONS), `p${q * 100}`] as const,
      ),
      { unit: "s" },
    ),
    graph(
      "Share of requests",
      "Where requests went, in percent; none: refused. A share that moves without a drain or a fault means that latencies changed places.",
      [[`sum by (region) (rate(meridian_requests_total{${REGIONS}}[$__rate_interval]))`, "{{region}}"]],
      { unit: "reqps", stacked: "percent" },
    ),
    graph(
      "Why a region was chosen",
      "The word in x-meridian-reason. failover and retry: something is down. last-resort: everything is. pin-unknown: Redis is in doubt.",
      [[`sum by (reason) (rate(meridian_requests_total{${REGIONS}}[$__rate_interval]))`, "{{reason}}"]],
      { unit: "reqps", stacked: "normal" },
    ),
  ],
};

const HEALTH: Row = {
  title: "Regions",
  panels: [
    states(
      "Health",
      "What probes and traffic say, as the most pessimistic of the selected edges sees it. Red: meridian status says why; select one edge above to see whether only it does.",
      [
        `min by (region) (max by (region, instance) (meridian_region_health{${REGIONS},state="up"} * 3 or meridian_region_health{${REGIONS},state="degraded"} * 2 or meridian_region_health{${REGIONS},state="down"}))`,
        "{{region}}",
      ],
      [
        [3, "up", "green"],
        [2, "degraded", "yellow"],
        [1, "down", "red"],
        [0, "unknown", "#808080"],
      ],
    ),
    admissions(
      "Admission",
      "What the operator says. A region that stays draining was forgotten: meridian undrain.",
    ),
    graph(
      "Latency",
      "Smoothed probe round trip, the mean over the selected edges. Readers go to the lowest, within routing.nearness.",
      [[`avg by (region) (meridian_region_latency_seconds{${REGIONS}})`, "{{region}}"]],
      { unit: "s" },
    ),
    graph(
      "Changes of health",
      "A region that changes often is flapping: close it until it is repaired, or raise health.fall.",
      [
        [
          orZeroByRegion(
            `sum by (region) (increase(meridian_health_transitions_total{${REGIONS}}[$__rate_interval]))`,
          ),
          "{{region}}",
        ],
      ],
      { unit: "short" },
    ),
  ],
};

const TROUBLE: Row = {
  title: "Trouble",
  panels: [
    graph(
      "Faults",
      "By the word in the problem and the log, clients' own included; docs say for each who has to act.",
      [
        [
          `sum by (fault) (rate(meridian_faults_total{${EDGES}}[$__rate_interval])) > 0 or label_replace(vector(0), "fault", "none", "", "")`,
          "{{fault}}",
        ],
      ],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Retries",
      "By the fault of the attempt before. They hide a failing region from clients: find it in its dashboard.",
      [[`sum by (reason) (rate(meridian_retries_total{${EDGES}}[$__rate_interval]))`, "{{reason}}"]],
      { unit: "ops", stacked: "normal" },
    ),
    graph(
      "Retries per request",
      "The budget is proxy.retryBudget.percent. Near it, more failures will be seen by clients.",
      [
        [
          orZero(`sum(rate(meridian_retries_total{${EDGES}}[$__rate_interval])) / (${requests} > 0)`),
          "retries",
        ],
      ],
      {
        unit: "percentunit",
        thresholds: [
          [null, "green"],
          [0.2, "red"],
        ],
      },
    ),
    graph(
      "Retries that the budget refused",
      "Above zero, a region fails more than retries can hide: close it.",
      [[orZero(`sum(rate(meridian_retry_budget_exhausted_total{${EDGES}}[$__rate_interval]))`), "refused"]],
      { unit: "ops" },
    ),
    table(
      "Edges",
      "What runs. Different versions for long: an upgrade that was not finished.",
      `meridian_build_info{${EDGES}}`,
    ),
    graph(
      "Edges of the fleet",
      "As the edge that knows fewest has them. A silent one was killed, or cannot reach Redis; it counts in the quorum for five minutes.",
      [[`min by (state) (meridian_fleet_edges{${EDGES}})`, "{{state}}"]],
      { unit: "short", height: 6 },
    ),
  ],
};

export const OVERVIEW: Board = {
  uid: "meridian-overview",
  title: "Meridian",
  description: "The fleet at a glance. Anything that is not green has its own dashboard, above.",
  rows: [NOW, TRAFFIC, HEALTH, TROUBLE],
};
