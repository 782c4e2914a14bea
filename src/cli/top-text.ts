import type { RegionAnswer } from "../admin/region-messages.ts";
import { growth, quantileOf, samplesOf, sumsBy } from "./exposition.ts";
import { headLine, note, REGION_COLUMNS, regionCells } from "./render.ts";
import type { Seen } from "./status.ts";
import { table } from "./table.ts";

/** What an edge says at one moment. */
export interface Glance extends Seen {
  /** What `GET /metrics` answered. */
  readonly metrics: string;
  readonly atMs: number;
}

const BAR_CELLS = 20;

/** The page of `top`: what happens between two glances, and below it what has happened, the newest last. */
export function topLines(
  before: Glance,
  now: Glance,
  happenings: readonly string[],
  rows: number,
): readonly string[] {
  const page = [
    headLine(now.status),
    ...trafficLines(before, now),
    "",
    ...regionTable(now.regions).trimEnd().split("\n"),
    "",
  ];
  const room = Math.max(0, rows - page.length);
  return [...page, ...(room === 0 ? [] : happenings.slice(-room))];
}

function regionTable(regions: readonly RegionAnswer[]): string {
  const total = regions.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
  const numbers = ["REQ/S", "SHARE"].map((title) => ({ title, right: true }));
  const counts = ["SESSIONS", "IN FLIGHT", "TUNNELS"].map((title) => ({ title, right: true }));
  const rows = regions.map((region) => {
    const share = total === 0 ? 0 : region.requestsPerSecond / total;
    return [
      ...regionCells(region),
      region.requestsPerSecond.toFixed(1),
      percent(share),
      "█".repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS),
      ...[region.sessions ?? "-", region.requestsInFlight, region.tunnels].map(String),
      note(region),
    ];
  });
  return table([...REGION_COLUMNS, ...numbers, { title: "" }, ...counts, { title: "WHY" }], rows);
}

function trafficLines(before: Glance, now: Glance): readonly string[] {
  const grown = (metric: string, label: string) =>
    growth(sumsBy(label, samplesOf(before.metrics, metric)), sumsBy(label, samplesOf(now.metrics, metric)));
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
  const classes = grown("meridian_requests_total", "code_class");
  const total = sum(classes);
  const retried = sum(grown("meridian_retries_total", "reason")) / seconds;
  const added = grown("meridian_edge_overhead_seconds_bucket", "le");
  return [
    [
      `${(total / seconds).toFixed(1)} requests/s here`,
      `${percent((classes.get("5xx") ?? 0) / Math.max(1, total), 2)} answered 5xx`,
      `${retried.toFixed(1)} retries/s`,
      `the edge adds ${below(quantileOf(0.5, added))} (p50), ${below(quantileOf(0.99, added))} (p99)`,
    ].join(" · "),
    `because of  ${shares(grown("meridian_requests_total", "reason"))}`,
    `guarantee   ${shares(grown("meridian_consistency_total", "outcome"))}`,
  ];
}

function shares(counts: ReadonlyMap<string, number>): string {
  const total = sum(counts);
  const sorted = [...counts].filter(([, count]) => count > 0).sort(([, one], [, other]) => other - one);
  return sorted.map(([word, count]) => `${word} ${percent(count / total, 1)}`).join("   ") || "-";
}

/** A histogram knows no more than the bound of a bucket. */
function below(seconds: number | null): string {
  if (seconds === null) return "-";
  return seconds === Number.POSITIVE_INFINITY ? "more than a second" : `< ${seconds * 1_000} ms`;
}

function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)} %`;
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
