import { styleText } from "node:util";
import type { Admission, Health, Role } from "../routing/region.ts";

/** One region as the demo shows it. */
export interface RegionRow {
  readonly id: string;
  readonly role: Role;
  readonly health: Health;
  readonly admission: Admission;
  readonly latencyMs: number | null;
  readonly lagMs: number | null;
  readonly requestsInFlight: number;
  readonly requestsPerSecond: number;
  /** Of all requests of the last seconds, 0 to 1. */
  readonly share: number;
}

/** Everything on the screen at one moment. */
export interface DemoView {
  readonly edgeUrl: string;
  readonly adminUrl: string;
  readonly controlUrl: string;
  readonly pinStore: "this process" | "redis";
  readonly uptimeSeconds: number;
  readonly regions: readonly RegionRow[];
  /** The nearest region that may be chosen, by id. */
  readonly nearest: string | null;
  /** The region that keys act on. */
  readonly picked: string;
  readonly pinsActive: number;
  readonly reads: number;
  readonly writes: number;
  readonly staleReads: number;
  readonly errors: ReadonlyMap<string, number>;
  readonly reasons: ReadonlyMap<string, number>;
  /** Newest last. */
  readonly events: readonly string[];
}

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

const BAR_CELLS = 20;
const HEALTH_STYLES = { up: "green", degraded: "yellow", down: "red", unknown: "gray" } as const;
const ADMISSION_STYLES = { open: "green", draining: "yellow", closed: "red" } as const;
const HEAD = [
  "   REGION    ",
  "ROLE     ",
  "HEALTH   ",
  "ADMISSION ",
  " LATENCY ",
  "     LAG ",
  "IN FLIGHT ",
  "  REQ/S ",
  " SHARE",
].join("");

const painted: Paint = (style, text) => styleText(style, text, { validateStream: false });
const unpainted: Paint = (_, text) => text;

/** The screen as lines, the most important first; `rows` cuts off what does not fit. */
export function renderTable(view: DemoView, { rows, colour }: { rows: number; colour: boolean }): string[] {
  const paint = colour ? painted : unpainted;
  const lines = [
    `${paint("bold", " Meridian demo")}   up ${minutes(view.uptimeSeconds)}   pins in ${view.pinStore}`,
    "",
    paint("dim", HEAD),
    ...view.regions.map((row, index) => regionLine(row, index, view, paint)),
    "",
    ` ${countsLine(view, paint)}`,
    paint("dim", ` served by ${listed(view.reasons)}`),
    paint(view.errors.size === 0 ? "dim" : "yellow", ` errors: ${listed(view.errors)}`),
    "",
    ` ${keysLine(paint)}`,
    "",
    ...curlLines(view).map((line) => paint("dim", ` ${line}`)),
    "",
  ];
  const room = Math.max(0, rows - lines.length - 1);
  return [...lines, ...(room > 0 ? view.events.slice(-room).map((event) => ` ${event}`) : [])].slice(0, rows);
}

/** The same on one line, for logs and pipes. */
export function plainLine(view: DemoView): string {
  const regions = view.regions.map(
    (row) =>
      `${row.id} ${row.health}/${row.admission} ${milliseconds(row.latencyMs)} lag ${milliseconds(row.lagMs)} ${percent(row.share)}`,
  );
  return [
    `${view.uptimeSeconds} s`,
    ...regions,
    `${view.reads} reads, ${view.writes} writes, ${total(view.errors)} errors`,
    `pins active ${view.pinsActive}`,
    `stale reads seen: ${view.staleReads}`,
  ].join(" | ");
}

/** What to type to look closer, and to break things without a keyboard of our own. */
export function curlLines({ edgeUrl, adminUrl, controlUrl, picked }: DemoView): string[] {
  const json = "-H content-type:application/json -d";
  return [
    `curl -i ${edgeUrl}/items/hello -H 'authorization: Bearer me'           a read`,
    `curl -i ${edgeUrl}/items/hello -H 'authorization: Bearer me' -X PUT    a write; then read again`,
    `curl -s ${adminUrl}/v1/regions`,
    `curl -s ${adminUrl}/v1/explain ${json} '{"method":"GET","path":"/"}'`,
    `curl -s ${adminUrl}/v1/regions/${picked}/drain ${json} '{"reason":"demo"}'`,
    `curl -X POST ${controlUrl}/${picked}/kill                              or heal, slow, blackhole, freeze`,
  ];
}

function regionLine(row: RegionRow, index: number, { picked, nearest }: DemoView, paint: Paint): string {
  const cells = [
    row.id === picked ? paint("bold", ` ▸ ${row.id}`.padEnd(13)) : ` ${index + 1} ${row.id}`.padEnd(13),
    row.role.padEnd(9),
    paint(HEALTH_STYLES[row.health], row.health.padEnd(9)),
    paint(ADMISSION_STYLES[row.admission], row.admission.padEnd(10)),
    `${milliseconds(row.latencyMs)} `.padStart(9),
    `${milliseconds(row.lagMs)} `.padStart(9),
    `${row.requestsInFlight} `.padStart(10),
    `${row.requestsPerSecond.toFixed(1)} `.padStart(8),
    percent(row.share).padStart(6),
    ` ${paint("cyan", "█".repeat(Math.round(row.share * BAR_CELLS)).padEnd(BAR_CELLS))}`,
    row.id === nearest ? paint("green", " nearest") : "",
  ];
  return cells.join("");
}

function countsLine(view: DemoView, paint: Paint): string {
  const stale = `stale reads seen: ${view.staleReads}`;
  return [
    `reads ${view.reads}`,
    `writes ${view.writes}`,
    `errors ${total(view.errors)}`,
    `pins active ${view.pinsActive}`,
    paint(view.staleReads === 0 ? ["bold", "green"] : ["bold", "red"], stale),
  ].join("   ");
}

function keysLine(paint: Paint): string {
  const keys = [
    ["1 2 3", "pick a region"],
    ["k", "kill"],
    ["s", "slow"],
    ["f", "freeze replication"],
    ["d", "drain"],
    ["h", "heal"],
    ["w", "write"],
    ["q", "quit"],
  ] as const;
  return keys.map(([key, does]) => `${paint("bold", key)} ${does}`).join("   ");
}

function listed(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([word, count]) => `${word} ${count}`).join("   ") || "none";
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function milliseconds(value: number | null): string {
  return value === null ? "-" : `${Math.round(value)} ms`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function minutes(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
