import { type ShownBoard, type ShownPanel, substituted } from "../../test/support/dashboard-queries.ts";
import type { Found, PrometheusServer } from "../../test/support/prometheus.ts";

export type Point = readonly [atSeconds: number, value: number];

export interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly Point[];
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** When something happened that the dashboard marks in all its graphs. */
export interface Mark {
  readonly name: string;
  readonly color: string;
  readonly atSeconds: number;
}

/** What the panel's queries find, a value for each second. */
export async function linesOf(
  prometheus: PrometheusServer,
  panel: ShownPanel,
  span: Span,
): Promise<readonly Line[]> {
  const asked = (panel.targets ?? []).map(async ({ expr, legendFormat = "" }) => {
    const found = await everySecond(prometheus, expr, span);
    return found.map((series) => ({
      name: named(legendFormat, series),
      labels: series.metric,
      points: pointsOf(series),
    }));
  });
  return (await Promise.all(asked)).flat();
}

/** The annotations of the dashboard, each where it begins. */
export async function marksOf(
  prometheus: PrometheusServer,
  { annotations }: ShownBoard,
  span: Span,
): Promise<readonly Mark[]> {
  const asked = annotations.list.map(async ({ name, expr, iconColor: color }) => {
    const found = await everySecond(prometheus, expr, span);
    return found.flatMap((series) =>
      runsOf(pointsOf(series)).flatMap(([first]) =>
        first === undefined ? [] : [{ name, color, atSeconds: first[0] }],
      ),
    );
  });
  return (await Promise.all(asked)).flat();
}

/** Values are a second apart; where one is missing, a line is interrupted. */
export function runsOf<Value extends readonly [atSeconds: number, ...rest: unknown[]]>(
  points: readonly Value[],
): readonly (readonly Value[])[] {
  const runs: Value[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    if (run !== undefined && point[0] - (run.at(-1)?.[0] ?? 0) < 1.5) run.push(point);
    else runs.push([point]);
  }
  return runs;
}

function everySecond(prometheus: PrometheusServer, expr: string, { fromMs, toMs }: Span) {
  const seconds = Math.round((toMs - fromMs) / 1_000);
  return prometheus.queryRange(substituted(expr, seconds), fromMs, toMs, 1);
}

function named(legend: string, { metric }: Found): string {
  return legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? "");
}

function pointsOf({ values = [] }: Found): readonly Point[] {
  return values
    .map(([at, value]) => [at, Number(value)] as const)
    .filter(([, value]) => Number.isFinite(value));
}
