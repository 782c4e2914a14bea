/** The colours that dashboards name, as Grafana's dark theme has them. */
const NAMED: Readonly<Record<string, string>> = {
  green: "#73bf69",
  yellow: "#fade2a",
  orange: "#ff9830",
  red: "#f2495c",
  blue: "#5794f2",
  "dark-blue": "#1f60c4",
  "semi-dark-blue": "#3274d9",
  purple: "#b877d9",
  text: "#ccccdc",
};
const SERIES = [
  ...["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c"],
  ...["#b877d9", "#8ab8ff", "#96d98d", "#ffa6b0", "#c0d8ff"],
];

export const colorNamed = (name: string) => NAMED[name] ?? name;
export const colorOf = (index: number) => SERIES[index % SERIES.length] ?? "";

const escaped = (said: string) => said.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
export const text = (x: number, y: number, said: string, more = "") =>
  `<text x="${x}" y="${y}" ${more}>${escaped(said)}</text>`;

const rounded = (number: number) => `${Number(number.toPrecision(3))}`;
const SUFFIXES: Readonly<Record<string, string>> = { reqps: " req/s", ops: "/s", cps: "/s", d: " d" };

export function valueText(value: number, unit: string): string {
  if (unit === "percentunit") return `${rounded(value * 100)} %`;
  if (unit === "s") return value === 0 || value >= 1 ? `${rounded(value)} s` : `${rounded(value * 1_000)} ms`;
  if (unit === "bytes") return `${rounded(value / 1_048_576)} MiB`;
  return `${rounded(value)}${SUFFIXES[unit] ?? ""}`;
}

/** What a colour stands for, from left to right; in a second row, and no more, when there is no room. */
export function legend(
  entries: readonly { readonly name: string; readonly color: string }[],
  { x: left, y: top, width }: { readonly x: number; readonly y: number; readonly width: number },
): string {
  let [x, row] = [left, 0];
  return entries
    .map(({ name, color }) => {
      const wide = 20 + name.length * 6;
      if (x + wide > width) [x, row] = [left, row + 1];
      const [at, y] = [x, top + row * 13];
      x += wide;
      if (row > 1) return "";
      return `<rect x="${at}" y="${y - 6}" width="9" height="5" fill="${color}"/>${text(at + 12, y, name)}`;
    })
    .join("");
}
