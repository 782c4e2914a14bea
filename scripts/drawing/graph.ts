import type { ShownPanel } from "../../test/support/dashboard-queries.ts";
import { type Line, type Mark, type Point, runsOf, type Span } from "./series.ts";
import { colorNamed, colorOf, legend, text, valueText } from "./svg.ts";

export interface Room {
  readonly span: Span;
  readonly width: number;
  readonly height: number;
  readonly marks: readonly Mark[];
}

/** A value and what it stands on: 0, or the series below it in a stack. */
type Layer = readonly (readonly [atSeconds: number, value: number, base: number])[];
/** From a point in time and a value to a place. */
type Place = (point: Point) => string;

export function graphOf(panel: ShownPanel, lines: readonly Line[], room: Room): string {
  const { unit, custom, thresholds } = panel.fieldConfig.defaults;
  const stacking = custom?.stacking?.mode ?? "none";
  const layers = layersOf(lines, stacking);
  const top = Math.max(0, ...layers.flat().map(([, value]) => value));
  const most = stacking === "percent" ? 1 : top === 0 ? 1 : top * 1.05;
  const [x0, y0, w, h] = [58, 26, room.width - 68, room.height - 66];
  const yOf = (value: number) => y0 + h * (1 - value / most);
  const xOf = (seconds: number) =>
    x0 + ((seconds * 1_000 - room.span.fromMs) / (room.span.toMs - room.span.fromMs)) * w;
  const at: Place = ([seconds, value]) => `${xOf(seconds).toFixed(1)},${yOf(value).toFixed(1)}`;
  const across = (value: number, more: string) =>
    `<line x1="${x0}" x2="${x0 + w}" y1="${yOf(value)}" y2="${yOf(value)}" ${more}/>`;
  const grid = [0, 0.5, 1].map((part) => {
    const said = valueText(most * part, stacking === "percent" ? "percentunit" : unit);
    return `${across(most * part, 'stroke="#333"')}${text(x0 - 4, yOf(most * part) + 4, said, 'text-anchor="end"')}`;
  });
  const limits = (thresholds?.steps ?? []).map(({ value, color }) =>
    value === null || value > most
      ? ""
      : across(value, `stroke="${colorNamed(color)}" stroke-dasharray="6 4"`),
  );
  const marks = room.marks.map(
    ({ color, atSeconds }) =>
      `<line x1="${xOf(atSeconds)}" x2="${xOf(atSeconds)}" y1="${y0}" y2="${y0 + h}" stroke="${colorNamed(color)}" stroke-dasharray="2 3" opacity="0.8"/>`,
  );
  const drawn = layers.map((layer, index) =>
    stacking === "none" ? lineOf(layer, colorOf(index), at) : areaOf(layer, colorOf(index), at),
  );
  const entries = lines.map(({ name }, index) => ({ name, color: colorOf(index) }));
  const names = legend(entries, { x: 10, y: room.height - 22, width: room.width });
  return [...grid, ...marks, ...drawn, ...limits, names].join("");
}

/** The lines as they are, or each upon those before it; in percent, as shares of them all. */
export function layersOf(lines: readonly Line[], stacking: string): readonly Layer[] {
  if (stacking === "none") return lines.map(({ points }) => points.map(([at, value]) => [at, value, 0]));
  const totals = new Map<number, number>();
  for (const { points } of lines)
    for (const [at, value] of points) totals.set(at, (totals.get(at) ?? 0) + value);
  const heights = new Map<number, number>();
  return lines.map(({ points }) =>
    points.map(([at, value]) => {
      const base = heights.get(at) ?? 0;
      const upTo = base + (stacking === "percent" ? value / (totals.get(at) || 1) : value);
      heights.set(at, upTo);
      return [at, upTo, base];
    }),
  );
}

function lineOf(layer: Layer, color: string, at: Place): string {
  return runsOf(layer)
    .map((run) => {
      const points = run.map(([seconds, value]) => at([seconds, value])).join(" ");
      return `<polyline fill="none" stroke="${color}" stroke-width="1.4" points="${points}"/>`;
    })
    .join("");
}

/** A series of a stack is the area between its sum and the sum below it; one that is zero has none. */
function areaOf(layer: Layer, color: string, at: Place): string {
  return runsOf(layer)
    .map((run) => {
      const above = run.map(([seconds, value]) => at([seconds, value]));
      const below = run.map(([seconds, , base]) => at([seconds, base]));
      return `<polygon fill="${color}" fill-opacity="0.75" points="${[...above, ...below.toReversed()].join(" ")}"/>`;
    })
    .join("");
}
