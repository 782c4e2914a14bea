import { admissions, type Board, EDGES, graph, orZeroByRegion, REGIONS, type Row, states } from "./parts.ts";

const held = (q: number) =>
  `histogram_quantile(${q}, sum by (le) (rate(meridian_move_duration_seconds_bucket{${EDGES}}[$__range]))) >= 0 or vector(0)`;

const DRAINS: Row = {
  title: "Drains",
  panels: [
    admissions(
      "Admission in force",
      "What the operator and the calendar say. A drain closes the region at its deadline; end it with meridian undrain.",
    ),
    graph(
      "Left in a region",
      "Requests, tunnels and streams there now, of all edges. A drain is over when its region is at zero; what stays is named by GET /v1/regions/ID.",
      [
        [
          `sum by (region) (meridian_requests_in_flight{${REGIONS}} + meridian_tunnels{${REGIONS}} + meridian_event_streams{${REGIONS}})`,
          "{{region}}",
        ],
      ],
      { unit: "short", height: 6 },
    ),
    graph(
      "Where requests go meanwhile",
      "The region that is drained should fall, and the others have room for it: compare with regions.ID.capacity.",
      [[`sum by (region) (rate(meridian_requests_total{${REGIONS}}[$__rate_interval]))`, "{{region}}"]],
      { unit: "reqps", stacked: "normal" },
    ),
    graph(
      "Missed by the calendar",
      "Windows that were refused, or that no edge could begin. The log says why; do by hand what was missed.",
      [
        [
          `max by (kind, result) (increase(meridian_calendar_misses_total{${EDGES}}[$__range]))`,
          "{{kind}} {{result}}",
        ],
      ],
      { unit: "short" },
    ),
  ],
};

const MOVES: Row = {
  title: "Switchovers",
  panels: [
    states(
      "Takes the writes",
      "Which region takes writes, as any edge knows it. Two at once for longer than 2 s: an edge has not followed; see the epochs.",
      [`max by (region) (meridian_write_region{${REGIONS}})`, "{{region}}"],
      [
        [1, "writes", "blue"],
        [0, "reads", "transparent"],
      ],
    ),
    graph(
      "Epoch by edge",
      "It only rises, by one with each move. Edges that differ for long are cut off from Redis.",
      [[`max by (instance) (meridian_write_epoch{${EDGES}})`, "{{instance}}"]],
      { unit: "short", height: 6 },
    ),
    graph(
      "Writes that wait, and under way",
      "A move waits for those that are under way; those that come meanwhile wait for the move, for failover.holdWrites at most.",
      [
        [`sum(meridian_writes_held{${EDGES}})`, "held"],
        [`sum(meridian_writes_under_way{${EDGES}})`, "under way"],
        [`max(meridian_write_region_moving{${EDGES}})`, "moving"],
      ],
      { unit: "short" },
    ),
    graph(
      "How long writes waited for a move",
      "Of moves in the range shown: the median and the longest. Above failover.holdWrites some writes were refused.",
      [
        [held(0.5), "p50"],
        [held(1), "longest"],
      ],
      { unit: "s" },
    ),
    graph(
      "Moves of the write region",
      "In the range shown. given_up: writes go on in the old region; the audit line says why.",
      [[`max by (result) (increase(meridian_moves_total{${EDGES}}[$__range]))`, "{{result}}"]],
      { unit: "short" },
    ),
    graph(
      "Age of the shared memory",
      "Since each edge last heard it; 0 without Redis. Above 2 s an edge follows neither drains nor moves: repair its way to Redis.",
      [
        [
          `max by (instance) (meridian_fleet_age_seconds{${EDGES}}) or 0 * max by (instance) (meridian_build_info{${EDGES}})`,
          "{{instance}}",
        ],
      ],
      {
        unit: "s",
        thresholds: [
          [null, "green"],
          [2, "red"],
        ],
      },
    ),
  ],
};

const DRILLS: Row = {
  title: "Drills",
  panels: [
    states(
      "Drills that run",
      "Whether any edge behaves as if the region were lost. meridian drill --stop ends it at once.",
      [`max by (region) (meridian_drill_running{${REGIONS}})`, "{{region}}"],
      [
        [1, "drill", "orange"],
        [0, "none", "transparent"],
      ],
    ),
    graph(
      "Drills by result",
      "In the range shown. aborted: clients felt it; read the report with meridian drill --list.",
      [
        [
          `sum by (region, result) (increase(meridian_drills_total{${REGIONS}}[$__range]))`,
          "{{region}} {{result}}",
        ],
      ],
      { unit: "short", height: 6 },
    ),
    graph(
      "Recovery in the last drill",
      "Until clients felt nothing of the loss any more; 0: they felt nothing, or there was no drill. It should not grow from drill to drill.",
      [[orZeroByRegion(`max by (region) (meridian_drill_recovery_seconds{${REGIONS}})`), "{{region}}"]],
      {
        unit: "s",
        thresholds: [
          [null, "green"],
          [10, "orange"],
        ],
      },
    ),
  ],
};

export const CHANGES: Board = {
  uid: "meridian-changes",
  title: "Meridian: drains, switchovers and drills",
  description: "What operators and the calendar do to the fleet, and what it costs clients.",
  rows: [DRAINS, MOVES, DRILLS],
};
