/** A column of a table for the terminal. */
export interface Column {
  readonly title: string;
  /** Numbers go to the right. */
  readonly right?: boolean;
}

/** Columns two spaces apart, as wide as their widest cell; nothing trails. Ends with a newline. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title);
  const lines = [titles, ...rows];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? "").length)));
  const cell = (text: string, at: number) =>
    columns[at]?.right ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0);
  return lines.map((line) => `${line.map(cell).join("  ").trimEnd()}\n`).join("");
}
