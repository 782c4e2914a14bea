import { forMarkdown, type Table } from "./report.ts";

/** What was measured together, as a part of a document. */
export interface Section {
  readonly title: string;
  /** When, and how often and how long. */
  readonly how: string;
  readonly tables: readonly Table[];
}

const BEGIN = "<!-- measured: written by bench/main.ts -->";
const END = "<!-- measured: end -->";
const HEADING = "### ";

/**
 * The text with these sections in place of those of the same title, and `machine` above them all; every other section
 * stays, so that what was measured piece by piece comes together in one document. Sections stand between the marks of
 * the text, or are all of it when it has none; in the order of `titles`, those that it does not name last.
 */
export function merged(
  text: string,
  machine: string,
  sections: readonly Section[],
  titles: readonly string[],
): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  const hasMarks = from >= 0 && to > from;
  const body = hasMarks ? text.slice(from + BEGIN.length, to) : text;
  const all = new Map([...sectionsIn(body), ...sections.map(written)]);
  const rank = (title: string) => (titles.includes(title) ? titles.indexOf(title) : titles.length);
  const sorted = [...all].toSorted(([a], [b]) => rank(a) - rank(b)).map(([, each]) => each);
  const tables = [machine, ...sorted].join("\n\n");
  return hasMarks ? `${text.slice(0, from + BEGIN.length)}\n\n${tables}\n\n${text.slice(to)}` : `${tables}\n`;
}

function sectionsIn(body: string): readonly (readonly [string, string])[] {
  const [, ...parts] = `\n${body}`.split(`\n${HEADING}`);
  return parts.map((part) => [part.split("\n", 1)[0] ?? "", `${HEADING}${part.trimEnd()}`]);
}

function written({ title, how, tables }: Section): readonly [string, string] {
  return [title, [`${HEADING}${title}\n`, `${how}\n`, ...tables.map(forMarkdown)].join("\n").trimEnd()];
}
