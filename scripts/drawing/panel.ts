import type { ShownBoard, ShownPanel } from "../../test/support/dashboard-queries.ts";
import { graphOf, type Room } from "./graph.ts";
import type { Line, Mark, Span } from "./series.ts";
import { colorNamed, legend, text, valueText } from "./svg.ts";

const [COLUMN, ROW, GAP] = [62, 27, 4];
const FOOT = 26;
const STYLE =
  "text{font:11px sans-serif;fill:#ccccdc}.title{font-weight:600;font-size:12px}.row{font-size:14px}.stat{font-size:26px}.none{fill:#8e8e9c;font-size:13px}.head{fill:#8e8e9c}";

export interface Picture {
  readonly html: string;
  readonly width: number;
  readonly height: number;
}

/** The dashboard as a page, in the places and colours that Grafana would give it. `lines` are those of each panel, in order. */
export function pictureOf(
  board: ShownBoard,
  lines: readonly (readonly Line[])[],
  marks: readonly Mark[],
  span: Span,
): Picture {
  const panels = board.panels.map((panel, index) => drawn(panel, lines[index] ?? [], { span, marks }));
  const bottom = Math.max(...board.panels.map(({ gridPos: { y, h } }) => y + h)) * ROW;
  const [width, height] = [24 * COLUMN, bottom + FOOT];
  const entries = board.annotations.list
    .filter(({ name }) => marks.some((mark) => mark.name === name))
    .map(({ name, iconColor }) => ({ name, color: colorNamed(iconColor) }));
  const foot = text(8, bottom + 17, "dotted:") + legend(entries, { x: 60, y: bottom + 17, width });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><style>${STYLE}</style>${panels.join("")}${foot}</svg>`;
  return { html: `<body style="margin:0;background:#111217">${svg}</body>`, width, height };
}

export function drawn(panel: ShownPanel, lines: readonly Line[], when: Pick<Room, "span" | "marks">): string {
  const { x, y, w, h } = panel.gridPos;
  const [left, top, width, height] = [x * COLUMN, y * ROW, w * COLUMN - GAP, h * ROW - GAP];
  const place = `<g transform="translate(${left},${top})">`;
  if (panel.type === "row") return `${place}${text(4, 19, panel.title, 'class="row"')}</g>`;
  const frame = `<rect width="${width}" height="${height}" rx="3" fill="#181b1f"/>${text(8, 17, panel.title, 'class="title"')}`;
  const kinds = { timeseries: graphOf, stat: statOf, "state-timeline": statesOf, table: tableOf };
  const kind = lines.length === 0 ? nothing : (kinds[panel.type as keyof typeof kinds] ?? graphOf);
  return `${place}${frame}${kind(panel, lines, { ...when, width, height })}</g>`;
}

function nothing({ fieldConfig }: ShownPanel, _lines: readonly Line[], { width, height }: Room): string {
  const said = fieldConfig.defaults.noValue ?? "No data";
  return text(width / 2, height / 2 + 4, said, 'class="none" text-anchor="middle"');
}

/** The last value of the series that has the newest. */
function statOf(
  { fieldConfig, options }: ShownPanel,
  lines: readonly Line[],
  { width, height }: Room,
): string {
  const newest = lines.toSorted((one, other) => lastOf(other)[0] - lastOf(one)[0])[0];
  const value = newest === undefined ? 0 : lastOf(newest)[1];
  const said =
    options.textMode === "name" ? (newest?.name ?? "") : valueText(value, fieldConfig.defaults.unit);
  const steps = fieldConfig.defaults.thresholds?.steps ?? [];
  const reached = steps.findLast((step) => step.value === null || value >= step.value);
  const more = `class="stat" text-anchor="middle" style="fill:${colorNamed(reached?.color ?? "text")}"`;
  return text(width / 2, height / 2 + 18, said, more);
}
const lastOf = ({ points }: Line) => points.at(-1) ?? ([0, 0] as const);

function statesOf({ fieldConfig }: ShownPanel, lines: readonly Line[], room: Room): string {
  const { span, width, height } = room;
  const words = fieldConfig.defaults.mappings?.[0]?.options ?? {};
  const each = (height - 50) / lines.length;
  const w = width - 100;
  const second = (w * 1_000) / (span.toMs - span.fromMs) + 0.3;
  const rows = lines.map(({ name, points }, index) => {
    const y = 26 + index * each;
    const cells = points.map(([at, value]) => {
      const x = 90 + ((at * 1_000 - span.fromMs) / (span.toMs - span.fromMs)) * w;
      const fill = colorNamed(words[value]?.color ?? "none");
      return `<rect x="${x.toFixed(1)}" y="${y}" width="${second.toFixed(1)}" height="${each - 5}" fill="${fill}"/>`;
    });
    return text(84, y + each / 2, name, 'text-anchor="end"') + cells.join("");
  });
  const entries = Object.values(words).map(({ text: name, color }) => ({ name, color: colorNamed(color) }));
  return rows.join("") + legend(entries, { x: 10, y: height - 9, width });
}

/** Its labels, but for those that the panel leaves out. */
function tableOf({ transformations = [] }: ShownPanel, lines: readonly Line[]): string {
  const left = Object.assign({}, ...transformations.map(({ options }) => options.excludeByName ?? {}));
  const heads = Object.keys(lines[0]?.labels ?? {}).filter((label) => left[label] !== true);
  const row = (cells: readonly string[], index: number, more = "") =>
    cells.map((cell, column) => text(12 + column * 120, 42 + index * 18, cell, more)).join("");
  return [
    row(heads, 0, 'class="head"'),
    ...lines.map(({ labels }, index) =>
      row(
        heads.map((label) => labels[label] ?? ""),
        index + 1,
      ),
    ),
  ].join("");
}
