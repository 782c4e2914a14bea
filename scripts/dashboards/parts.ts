/** A query and what its series are called. */
export type Query = readonly [expr: string, legend: string];
type Json = Readonly<Record<string, unknown>>;
type Step = readonly [value: number | null, color: string];

/** A panel without its place. */
export interface Panel {
  readonly width: number;
  readonly height: number;
  readonly json: Json;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Board {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}

/** Of the edges that are chosen above the panels; and of the regions. */
export const EDGES = 'instance=~"$edge"';
export const REGIONS = `${EDGES},region=~"$region"`;
const SOURCE = { type: "prometheus", uid: "$DS_PROMETHEUS" };

/** Nothing happened is a line at zero, not an empty panel. */
export const orZero = (expr: string) => `${expr} or vector(0)`;
export const orZeroByRegion = (expr: string) =>
  `${expr} or 0 * max by (region) (meridian_write_region{${REGIONS}})`;
export const orZeroByEdge = (expr: string) =>
  `${expr} or 0 * max by (instance) (meridian_build_info{${EDGES}})`;

/** A quantile of a histogram; zero while nothing was measured, where Prometheus says NaN. */
export function quantile(q: number, metric: string, labels = EDGES): string {
  const rates = `sum by (le) (rate(${metric}_bucket{${labels}}[$__rate_interval]))`;
  return orZero(`histogram_quantile(${q}, ${rates}) >= 0`);
}

interface Look {
  readonly unit: string;
  readonly width?: number;
  readonly height?: number;
  readonly stacked?: "normal" | "percent";
  /** What an empty panel says, where it may be empty although all is well. */
  readonly noValue?: string;
  /** From that value on, that colour; a line is drawn there. */
  readonly thresholds?: readonly Step[];
}

export function graph(title: string, description: string, queries: readonly Query[], look: Look): Panel {
  const { unit, width = 12, height = 8, stacked, thresholds = [[null, "green"]], noValue } = look;
  const custom = {
    ...{ drawStyle: "line", lineWidth: 1, showPoints: "never", spanNulls: false },
    fillOpacity: stacked === undefined ? 10 : 35,
    stacking: { mode: stacked ?? "none", group: "A" },
    thresholdsStyle: { mode: thresholds.length > 1 ? "line" : "off" },
  };
  const options = {
    legend: { displayMode: "list", placement: "bottom", showLegend: true, calcs: [] },
    tooltip: { mode: "multi", sort: "desc" },
  };
  const empty = noValue === undefined ? {} : { noValue };
  const defaults = { unit, min: 0, custom, thresholds: stepsOf(thresholds), ...empty };
  return panelOf("timeseries", { title, description, queries, defaults, options, width, height });
}

/** One value, as it is now. `named`: the name of the series is what is shown. */
export function stat(
  title: string,
  description: string,
  [expr, legend]: Query,
  { unit, thresholds = [[null, "text"]], named = false }: Look & { readonly named?: boolean },
): Panel {
  const options = {
    ...{ colorMode: "value", graphMode: named ? "none" : "area", justifyMode: "auto" },
    textMode: named ? "name" : "value",
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
  };
  const defaults = { unit, thresholds: stepsOf(thresholds), mappings: [] };
  const queries: readonly Query[] = [[expr, legend]];
  return panelOf("stat", { title, description, queries, defaults, options, width: 4, height: 4 });
}

/** What operators and the calendar say of each region, over time. */
export function admissions(title: string, description: string): Panel {
  return states(
    title,
    description,
    [
      `min by (region) (max by (region, instance) (meridian_region_admission{${REGIONS},state="open"} * 2 or meridian_region_admission{${REGIONS},state="draining"}))`,
      "{{region}}",
    ],
    [
      [2, "open", "green"],
      [1, "draining", "orange"],
      [0, "closed", "red"],
    ],
  );
}

/** Words over time; each value has its word and its colour. */
export function states(
  title: string,
  description: string,
  query: Query,
  words: readonly (readonly [value: number, text: string, color: string])[],
): Panel {
  const mapped = words.map(([value, text, color], index) => [`${value}`, { text, color, index }]);
  const defaults = {
    unit: "none",
    custom: { fillOpacity: 80, lineWidth: 0 },
    mappings: [{ type: "value", options: Object.fromEntries(mapped) }],
    thresholds: stepsOf([[null, "text"]]),
  };
  const options = {
    ...{ mergeValues: true, showValue: "never", alignValue: "left", rowHeight: 0.85 },
    legend: { displayMode: "list", placement: "bottom", showLegend: true },
    tooltip: { mode: "single" },
  };
  return panelOf("state-timeline", {
    title,
    description,
    queries: [query],
    defaults,
    options,
    width: 12,
    height: 6,
  });
}

/** The labels of the series, as they are now. */
export function table(title: string, description: string, expr: string): Panel {
  const { json, ...size } = panelOf("table", {
    ...{ title, description, queries: [[expr, ""]], width: 12, height: 6 },
    defaults: { unit: "none", custom: { align: "auto" } },
    options: { showHeader: true, cellHeight: "sm" },
  });
  const target = { datasource: SOURCE, refId: "A", expr, instant: true, range: false, format: "table" };
  const excludeByName = { Time: true, Value: true, __name__: true, job: true };
  const transformations = [{ id: "organize", options: { excludeByName, indexByName: {}, renameByName: {} } }];
  return { ...size, json: { ...json, targets: [target], transformations } };
}

interface Parts {
  readonly title: string;
  readonly description: string;
  readonly queries: readonly Query[];
  readonly defaults: Json;
  readonly options: Json;
  readonly width: number;
  readonly height: number;
}

function panelOf(type: string, parts: Parts): Panel {
  const { title, description, queries, defaults, options, width, height } = parts;
  const targets = queries.map(([expr, legendFormat], index) => ({
    ...{ datasource: SOURCE, refId: String.fromCharCode(65 + index), expr, legendFormat },
  }));
  const json = {
    type,
    title,
    description,
    datasource: SOURCE,
    targets,
    fieldConfig: { defaults, overrides: [] },
    options,
  };
  return { width, height, json };
}

function stepsOf(steps: readonly Step[]): Json {
  return { mode: "absolute", steps: steps.map(([value, color]) => ({ color, value })) };
}

/** The dashboard as Grafana provisions it. */
export function dashboardOf({ uid, title, description, rows }: Board): Json {
  return {
    ...{ uid, title, description, tags: ["meridian"], schemaVersion: 41, version: 1, editable: true },
    ...{ graphTooltip: 1, refresh: "10s", time: { from: "now-30m", to: "now" }, timezone: "browser" },
    links: [
      {
        type: "dashboards",
        title: "Meridian",
        tags: ["meridian"],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: ANNOTATIONS },
    templating: { list: [DATA_SOURCE, EDGE, REGION] },
    panels: placed(rows),
  };
}

/** From left to right, and a new line where there is no room. */
function placed(rows: readonly Row[]): readonly Json[] {
  const panels: Json[] = [];
  let top = 0;
  const put = (json: Json, x: number, w: number, h: number) =>
    panels.push({ id: panels.length + 1, ...json, gridPos: { h, w, x, y: top } });
  for (const { title, panels: own } of rows) {
    put({ type: "row", title, collapsed: false, panels: [] }, 0, 24, 1);
    top += 1;
    let left = 0;
    let lineHeight = 0;
    for (const { width, height, json } of own) {
      if (left + width > 24) {
        top += lineHeight;
        left = 0;
        lineHeight = 0;
      }
      put(json, left, width, height);
      left += width;
      lineHeight = Math.max(lineHeight, height);
    }
    top += lineHeight;
  }
  return panels;
}

const ANNOTATIONS = [
  annotation(
    "Region down",
    "red",
    "{{region}} down",
    `sum by (region) (increase(meridian_health_transitions_total{${REGIONS},to="down"}[30s])) > 0`,
  ),
  annotation(
    "Region up",
    "green",
    "{{region}} up",
    `sum by (region) (increase(meridian_health_transitions_total{${REGIONS},to="up"}[30s])) > 0`,
  ),
  annotation(
    "Admission",
    "orange",
    "{{region}} {{state}}",
    began("meridian_region_admission", `${REGIONS}`, "region, state"),
  ),
  annotation(
    "Write region",
    "blue",
    "writes go to {{region}}",
    began("meridian_write_region", REGIONS, "region"),
  ),
  annotation(
    "Epoch",
    "dark-blue",
    "epoch raised",
    `max(meridian_write_epoch{${EDGES}}) > max(meridian_write_epoch{${EDGES}} offset 30s)`,
  ),
  annotation("Drill", "purple", "drill of {{region}}", began("meridian_drill_running", REGIONS, "region")),
  annotation(
    "Reload",
    "semi-dark-blue",
    "{{instance}} reload {{result}}",
    `sum by (instance, result) (increase(meridian_config_reloads_total{${EDGES},result!="unchanged"}[30s])) > 0`,
  ),
];

/** What was not so half a minute ago. */
function began(metric: string, labels: string, by: string): string {
  const before = `max by (${by}) (${metric}{${labels}} offset 30s)`;
  return `max by (${by}) (${metric}{${labels}}) == 1 unless ${before} == 1`;
}

function annotation(
  name: string,
  iconColor: string,
  titleFormat: string,
  expr: string,
): Json & { readonly expr: string } {
  return {
    name,
    iconColor,
    titleFormat,
    expr,
    enable: true,
    hide: false,
    datasource: SOURCE,
    textFormat: "",
    step: "10s",
  };
}

const DATA_SOURCE = {
  ...{ name: "DS_PROMETHEUS", type: "datasource", label: "Data source", query: "prometheus", hide: 0 },
  ...{ multi: false, includeAll: false, refresh: 1, regex: "", options: [], current: {} },
};
const EDGE = variable("edge", "Edge", "label_values(meridian_build_info, instance)");
const REGION = variable("region", "Region", `label_values(meridian_region_health{${EDGES}}, region)`);

function variable(name: string, label: string, definition: string): Json {
  return {
    ...{
      name,
      label,
      definition,
      type: "query",
      datasource: SOURCE,
      query: { query: definition, refId: name },
    },
    ...{
      multi: true,
      includeAll: true,
      allValue: ".*",
      refresh: 2,
      sort: 1,
      regex: "",
      options: [],
      hide: 0,
    },
    current: { selected: true, text: ["All"], value: ["$__all"] },
  };
}
