import { type Board, EDGES, graph, orZeroByEdge, quantile, REGIONS, type Row, states } from "./parts.ts";

const PROCESS: Row = {
  title: "Process",
  panels: [
    graph(
      "What the edge adds",
      "Time to the response head that was not the region's; holds the wait for a pin's acknowledgement. If it rises with the look-ups, Redis is slow; else see the event loop.",
      [
        [quantile(0.5, "meridian_edge_overhead_seconds"), "p50"],
        [quantile(0.99, "meridian_edge_overhead_seconds"), "p99"],
      ],
      { unit: "s" },
    ),
    graph(
      "Event loop lag",
      "p99 and the worst since the last scrape. Above 0.1 s for minutes: more edges, or workers.",
      [
        [
          `max by (instance, quantile) (meridian_event_loop_lag_seconds{${EDGES},quantile!="0.5"})`,
          "{{instance}} {{quantile}}",
        ],
      ],
      {
        unit: "s",
        thresholds: [
          [null, "green"],
          [0.1, "red"],
        ],
      },
    ),
    graph(
      "Processor",
      "1 is one core, all that a process without workers can use.",
      [[`sum by (instance) (rate(process_cpu_seconds_total{${EDGES}}[$__rate_interval]))`, "{{instance}}"]],
      { unit: "percentunit" },
    ),
    graph(
      "Memory",
      "Resident, and what of it is the heap in use. A resident size that only grows for days is a leak: report it.",
      [
        [`sum by (instance) (process_resident_memory_bytes{${EDGES}})`, "{{instance}} resident"],
        [`sum by (instance) (nodejs_heap_size_used_bytes{${EDGES}})`, "{{instance}} heap used"],
      ],
      { unit: "bytes" },
    ),
    graph(
      "Open file descriptors",
      "Connections of clients and to regions, mostly. Near the process's limit new clients are refused: raise LimitNOFILE.",
      [[orZeroByEdge(`sum by (instance) (process_open_fds{${EDGES}})`), "{{instance}}"]],
      { unit: "short" },
    ),
    graph(
      "Workers",
      "Processes that listen for clients, and those that ended unasked and were replaced in the last hour: the log says why.",
      [
        [`sum by (instance) (meridian_workers{${EDGES}})`, "{{instance}} listening"],
        [
          `sum by (instance) (increase(meridian_worker_restarts_total{${EDGES}}[1h]))`,
          "{{instance}} replaced",
        ],
      ],
      { unit: "short" },
    ),
    graph(
      "Uncaught errors",
      "Bugs of Meridian that nothing caught: the log has them as uncaught. Report them; more than 60 in a minute end the process.",
      [
        [
          `sum by (instance) (increase(meridian_uncaught_errors_total{${EDGES}}[$__rate_interval]))`,
          "{{instance}}",
        ],
      ],
      {
        unit: "short",
        thresholds: [
          [null, "green"],
          [1, "red"],
        ],
      },
    ),
    graph(
      "Lost log lines",
      "Lines that standard output did not take. Whoever reads the log is too slow, or its disk is full.",
      [
        [
          `sum by (instance) (rate(meridian_log_lines_dropped_total{${EDGES}}[$__rate_interval]))`,
          "{{instance}}",
        ],
      ],
      { unit: "ops" },
    ),
  ],
};

const CLIENTS: Row = {
  title: "Connections",
  panels: [
    graph(
      "Connections",
      "Of clients, beside how many there may be. Near the limit: more edges, or raise limits.connections.",
      [
        [`sum by (instance, listener) (meridian_connections{${EDGES}})`, "{{instance}} {{listener}}"],
        [`sum by (instance) (meridian_connections_limit{${EDGES}})`, "{{instance}} limit"],
      ],
      { unit: "short" },
    ),
    graph(
      "Refused connections",
      "By what there was too much or too little of. address: one client has too many, see limits.connectionsPerAddress.",
      [
        [
          `sum by (cause) (rate(meridian_connections_refused_total{${EDGES}}[$__rate_interval]))`,
          "{{cause}}",
        ],
      ],
      { unit: "cps" },
    ),
    graph(
      "Overload",
      "1 while new connections are refused so that the old ones do not suffer. Add edges.",
      [[`max by (instance, cause) (meridian_overload{${EDGES}})`, "{{instance}} {{cause}}"]],
      {
        unit: "short",
        thresholds: [
          [null, "green"],
          [1, "red"],
        ],
      },
    ),
    graph(
      "What came that was no request",
      "Too slow, too large, or not HTTP; none of it is in the requests. Many at once: somebody is trying the doors.",
      [[`sum by (fault) (rate(meridian_heads_refused_total{${EDGES}}[$__rate_interval]))`, "{{fault}}"]],
      { unit: "reqps" },
    ),
    graph(
      "Requests in flight",
      "At regions now, of each edge. One edge with far more than the others: the balancer before it.",
      [[`sum by (instance) (meridian_requests_in_flight{${REGIONS}})`, "{{instance}}"]],
      { unit: "short" },
    ),
    graph(
      "Days until a certificate expires",
      "Of the edge whose own ends first. Below 14 somebody should look why it was not renewed.",
      [
        [
          `(min by (certificate) (meridian_certificate_expiry_timestamp_seconds{${EDGES}}) - time()) / 86400`,
          "{{certificate}}",
        ],
      ],
      {
        unit: "d",
        noValue: "no edge shows a certificate",
        thresholds: [
          [null, "red"],
          [14, "green"],
        ],
      },
    ),
  ],
};

const REDIS: Row = {
  title: "Redis, configuration and admin API",
  panels: [
    states(
      "Redis",
      "Whether it answers each edge. One edge down: its network; all: Redis itself. 2 is an edge without Redis.",
      [
        `min by (instance) (meridian_redis_up{${EDGES}}) or 2 * max by (instance) (meridian_build_info{${EDGES}})`,
        "{{instance}}",
      ],
      [
        [2, "none configured", "#808080"],
        [1, "up", "green"],
        [0, "down", "red"],
      ],
    ),
    states(
      "File in force",
      "Whether the file that was read last is in force. Rejected: meridian validate says every problem; a restart would fail.",
      [`min by (instance) (meridian_config_last_reload_successful{${EDGES}})`, "{{instance}}"],
      [
        [1, "in force", "green"],
        [0, "rejected", "red"],
      ],
    ),
    graph(
      "Reloads",
      "By result. rejected: the file was bad and nothing changed.",
      [
        [
          `sum by (result) (increase(meridian_config_reloads_total{${EDGES}}[$__rate_interval]))`,
          "{{result}}",
        ],
      ],
      { unit: "short" },
    ),
    graph(
      "Refused by the admin API",
      "Calls that were refused for who made them, and addresses that were locked out for guessing tokens. Ask who that is.",
      [
        [`sum by (fault) (increase(meridian_admin_refused_total{${EDGES}}[$__rate_interval]))`, "{{fault}}"],
        [`sum(increase(meridian_admin_lockouts_total{${EDGES}}[$__rate_interval]))`, "lock-outs"],
      ],
      { unit: "short" },
    ),
  ],
};

export const EDGE: Board = {
  uid: "meridian-edge",
  title: "Meridian: edge internals",
  description: "Choose an edge above. Its process, its connections, and what it needs.",
  rows: [PROCESS, CLIENTS, REDIS],
};
