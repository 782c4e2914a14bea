import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  deployedBoards,
  type ShownBoard,
  type ShownPanel,
  substituted,
} from "../test/support/dashboard-queries.ts";
import type { Found, PrometheusServer } from "../test/support/prometheus.ts";
import { WatchedFleet } from "../test/support/watched-fleet.ts";

/**
 * Draws each dashboard as of a fleet that has met a drain, a lost region, a switchover, a drill and a Redis that was away:
 * `npm run dashboards:draw [SECONDS]`, so many for each step; docs/pictures/ has the pictures. Needs prometheus and chromium.
 */
const SECONDS = Number(process.argv[2] ?? 20);
const PICTURES = new URL("../docs/pictures/", import.meta.url).pathname;
const [COLUMN, ROW, GAP] = [62, 27, 4];
const COLORS = [
  "#73bf69",
  "#f2cc0c",
  "#5794f2",
  "#ff9830",
  "#f2495c",
  "#b877d9",
  "#8ab8ff",
  "#96d98d",
  "#ffa6b0",
  "#c0d8ff",
];

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [atSeconds: number, value: number])[];
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

async function linesOf(
  prometheus: PrometheusServer,
  panel: ShownPanel,
  span: Span,
): Promise<readonly Line[]> {
  const seconds = Math.round((span.toMs - span.fromMs) / 1_000);
  const asked = (panel.targets ?? []).map(async ({ expr, legendFormat = "" }) => {
    const found = await prometheus.queryRange(substituted(expr, seconds), span.fromMs, span.toMs, 1);
    return found.map((series) => ({ name: named(legendFormat, series), points: pointsOf(series) }));
  });
  return (await Promise.all(asked)).flat();
}

function named(legend: string, { metric }: Found): string {
  if (legend === "")
    return Object.entries(metric)
      .filter(([label]) => label !== "job" && label !== "__name__")
      .map(([, value]) => value)
      .join(" ");
  return legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? "");
}

function pointsOf({ values = [] }: Found): Line["points"] {
  return values
    .map(([at, value]) => [at, Number(value)] as const)
    .filter(([, value]) => Number.isFinite(value));
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const text = (x: number, y: number, said: string, more = "") =>
  `<text x="${x}" y="${y}" ${more}>${escaped(said)}</text>`;

function drawn(panel: ShownPanel, lines: readonly Line[], span: Span): string {
  const { x, y, w, h } = panel.gridPos;
  const [left, top, width, height] = [x * COLUMN, y * ROW, w * COLUMN - GAP, h * ROW - GAP];
  const place = `<g transform="translate(${left},${top})">`;
  if (panel.type === "row") return `${place}${text(4, 19, panel.title, 'class="row"')}</g>`;
  const frame = `<rect width="${width}" height="${height}" rx="3" fill="#181b1f"/>${text(8, 17, panel.title, 'class="title"')}`;
  const inside =
    { timeseries: graphOf, stat: statOf, "state-timeline": statesOf, table: tableOf }[panel.type] ?? graphOf;
  return `${place}${frame}${inside(panel, lines, { span, width, height })}</g>`;
}

interface Room {
  readonly span: Span;
  readonly width: number;
  readonly height: number;
}

function graphOf(panel: ShownPanel, lines: readonly Line[], { span, width, height }: Room): string {
  const { unit, custom } = panel.fieldConfig.defaults;
  const mode = custom?.stacking?.mode ?? "none";
  const shown = mode === "none" ? lines : stackedUp(lines, mode === "percent");
  const top = Math.max(0, ...shown.flatMap(({ points }) => points.map(([, value]) => value)));
  const most = top === 0 ? 1 : top * 1.05;
  const [x0, y0, w, h] = [52, 26, width - 62, height - 62];
  const at = ([seconds, value]: readonly [number, number]) =>
    `${(x0 + ((seconds * 1_000 - span.fromMs) / (span.toMs - span.fromMs)) * w).toFixed(1)},${(y0 + h - (value / most) * h).toFixed(1)}`;
  const grid = [0, 0.5, 1].map((part) => {
    const y = y0 + h * (1 - part);
    const said = valueText(most * part, mode === "percent" ? "percentunit" : unit);
    return `<line x1="${x0}" x2="${x0 + w}" y1="${y}" y2="${y}" stroke="#333"/>${text(x0 - 4, y + 4, said, 'text-anchor="end"')}`;
  });
  const paths = shown.map(
    ({ points }, index) =>
      `<polyline fill="none" stroke="${colorOf(index)}" stroke-width="1.4" points="${points.map(at).join(" ")}"/>`,
  );
  return grid.join("") + paths.join("") + legendOf(lines, width, height);
}

/** Each line on top of those before it. */
function stackedUp(lines: readonly Line[], percent: boolean): readonly Line[] {
  const sums = new Map<number, number>();
  const total = new Map<number, number>();
  for (const { points } of lines)
    for (const [at, value] of points) total.set(at, (total.get(at) ?? 0) + value);
  return lines.map(({ name, points }) => ({
    name,
    points: points.map(([at, value]) => {
      const share = percent ? value / (total.get(at) || 1) : value;
      sums.set(at, (sums.get(at) ?? 0) + share);
      return [at, sums.get(at) ?? 0] as const;
    }),
  }));
}

function legendOf(lines: readonly Line[], width: number, height: number): string {
  let [x, y] = [10, height - 21];
  return lines
    .map(({ name }, index) => {
      const wide = 20 + name.length * 6;
      if (x + wide > width) [x, y] = [10, y + 13];
      const drawnAt = x;
      x += wide;
      if (y > height) return "";
      return `<rect x="${drawnAt}" y="${y - 5}" width="9" height="3" fill="${colorOf(index)}"/>${text(drawnAt + 12, y, name)}`;
    })
    .join("");
}

function statOf(
  { fieldConfig, options }: ShownPanel,
  lines: readonly Line[],
  { width, height }: Room,
): string {
  const last = lines.map(({ name, points }) => ({
    name,
    value: points.at(-1),
    ago: points.at(-1)?.[0] ?? 0,
  }));
  const newest = last.toSorted((one, other) => other.ago - one.ago)[0];
  const said =
    options.textMode === "name"
      ? (newest?.name ?? "")
      : valueText(newest?.value?.[1] ?? 0, fieldConfig.defaults.unit);
  return text(width / 2, height / 2 + 18, said, 'class="stat" text-anchor="middle"');
}

function statesOf(
  { fieldConfig }: ShownPanel,
  lines: readonly Line[],
  { span, width, height }: Room,
): string {
  const words = fieldConfig.defaults.mappings?.[0]?.options ?? {};
  const each = (height - 50) / Math.max(lines.length, 1);
  const w = width - 100;
  const rows = lines.map(({ name, points }, index) => {
    const y = 26 + index * each;
    const second = (w * 1_000) / (span.toMs - span.fromMs) + 0.3;
    const cells = points.map(([at, value]) => {
      const x = 90 + ((at * 1_000 - span.fromMs) / (span.toMs - span.fromMs)) * w;
      return `<rect x="${x.toFixed(1)}" y="${y}" width="${second.toFixed(1)}" height="${each - 5}" fill="${words[value]?.color ?? "none"}"/>`;
    });
    return text(84, y + each / 2, name, 'text-anchor="end"') + cells.join("");
  });
  const legend = Object.values(words).map(
    ({ text: word, color }, index) =>
      `<rect x="${10 + index * 110}" y="${height - 17}" width="9" height="9" stroke="#555" fill="${color}"/>${text(24 + index * 110, height - 8, word)}`,
  );
  return rows.join("") + legend.join("");
}

function tableOf(_panel: ShownPanel, lines: readonly Line[]): string {
  return lines.map(({ name }, index) => text(12, 42 + index * 18, name)).join("");
}

const colorOf = (index: number) => COLORS[index % COLORS.length] ?? "";

function valueText(value: number, unit: string): string {
  const rounded = (number: number) => `${Number(number.toPrecision(3))}`;
  if (unit === "percentunit") return `${rounded(value * 100)} %`;
  if (unit === "s") return value === 0 || value >= 1 ? `${rounded(value)} s` : `${rounded(value * 1_000)} ms`;
  if (unit === "bytes") return `${rounded(value / 1_048_576)} MiB`;
  const suffix: Record<string, string> = { reqps: " req/s", ops: "/s", cps: "/s", d: " d" };
  return `${rounded(value)}${suffix[unit] ?? ""}`;
}

async function picture(prometheus: PrometheusServer, board: ShownBoard, span: Span): Promise<string> {
  const panels = await Promise.all(
    board.panels.map(async (panel) => drawn(panel, await linesOf(prometheus, panel, span), span)),
  );
  const bottom = Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h)) * ROW;
  const style =
    "text{font:11px sans-serif;fill:#ccccdc}.title{font-weight:600;font-size:12px}.row{font-size:14px}.stat{font-size:26px;fill:#73bf69}";
  const size = `width="${24 * COLUMN}" height="${bottom}"`;
  screenshot(
    `<body style="margin:0;background:#111217"><svg xmlns="http://www.w3.org/2000/svg" ${size}><style>${style}</style>${panels.join("")}</svg></body>`,
    `${PICTURES}${board.uid}.png`,
    bottom,
  );
  return board.uid;
}

function screenshot(html: string, file: string, height: number): void {
  const directory = mkdtempSync(path.join(tmpdir(), "meridian-pictures-"));
  const page = path.join(directory, "page.html");
  writeFileSync(page, html);
  const quiet = ["no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"];
  const flags = [
    "headless",
    "no-sandbox",
    "disable-gpu",
    "hide-scrollbars",
    ...quiet,
    `user-data-dir=${directory}/profile`,
  ];
  const wanted = [`window-size=${24 * COLUMN},${Math.ceil(height)}`, `screenshot=${file}`];
  execFileSync("chromium", [...[...flags, ...wanted].map((flag) => `--${flag}`), `file://${page}`], {
    stdio: "ignore",
  });
  rmSync(directory, { recursive: true, force: true });
}

const fleet = await WatchedFleet.start();
try {
  const fromMs = Date.now();
  await fleet.live(SECONDS);
  const span = { fromMs, toMs: Date.now() };
  for (const board of deployedBoards())
    process.stdout.write(`${await picture(fleet.prometheus, board, span)}\n`);
} finally {
  await fleet.stop();
}
