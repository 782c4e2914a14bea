import { parseArgs } from "node:util";
import { SERIES_NAMES } from "./growth.ts";
import { SHAPE_NAMES } from "./shapes.ts";
import { MORE_SUBJECTS, SUBJECTS } from "./subjects.ts";

const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);

export const USAGE = `npm run bench -- [growth] [OPTION]...

  (none)              every subject, small requests over kept connections; five minutes
  growth              what a request costs as an edge's surroundings grow, and what it holds
  --quick             a few subjects, two short rounds; one minute
  --full              every shape, then growth; about forty minutes
  --shape NAME,...    ${SHAPE_NAMES.join(", ")}
  --subjects NAME,... ${names(SUBJECTS).join(", ")};
                      and ${names(MORE_SUBJECTS).join(", ")}
  --series NAME,...   of growth: ${SERIES_NAMES.join(", ")}
  --rounds N          how often each subject is measured
  --seconds N         how long, each time
  --warm-up N         seconds before the first round
  --connections N     at once
  --port N            the first of about two hundred that are used
  --no-build          measures dist as it is; BENCH_EDGE=FILE measures another edge
  --json FILE         every figure
  --markdown FILE     the tables, in place of those of the same shapes and series in the file; the others stay.
                      Between the marks of a file that has them, else the whole file
`;

export interface Options {
  readonly growth: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  readonly port: number;
  readonly builds: boolean;
  readonly shapes: readonly string[];
  readonly subjects: readonly string[];
  /** Of growth; null: all. */
  readonly series: readonly string[] | null;
  readonly full: boolean;
  readonly json: string | null;
  readonly markdown: string | null;
}

const QUICK = ["meridian", "meridian-strict", "nginx", "haproxy", "reply-from", "nginx-lua"];

/** Null when only help is wanted. */
export function parseOptions(args: readonly string[]): Options | null {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...{ quick: flag, full: flag, help: flag, "no-build": flag },
      ...{ shape: text, subjects: text, series: text, rounds: text, seconds: text, "warm-up": text },
      ...{ connections: text, port: text, json: text, markdown: text },
    },
  });
  if (values.help) return null;
  const strange = positionals.filter((word) => word !== "growth");
  if (strange.length > 0) throw new Error(`what is ${strange.join(" ")}?`);
  const { quick, full } = values;
  const listed = (value: string | undefined) => value?.split(",") ?? null;
  return {
    growth: positionals.includes("growth"),
    rounds: numberIn("rounds", values.rounds, quick ? 2 : 4),
    seconds: numberIn("seconds", values.seconds, quick ? 2 : 4),
    warmUpSeconds: numberIn("warm-up", values["warm-up"], quick ? 4 : 5),
    connections: numberIn("connections", values.connections, 64),
    port: numberIn("port", values.port, 21_000),
    builds: !values["no-build"],
    shapes: listed(values.shape) ?? (full ? SHAPE_NAMES : ["100b"]),
    subjects: listed(values.subjects) ?? (quick ? QUICK : names(SUBJECTS)),
    series: listed(values.series),
    full,
    json: values.json ?? null,
    markdown: values.markdown ?? null,
  };
}

function numberIn(name: string, text: string | undefined, otherwise: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (!(number > 0)) throw new Error(`--${name} is a number above 0, not ${text}`);
  return number;
}
