import { readFileSync, writeFileSync } from "node:fs";
import { Registry } from "prom-client";
import { createInstruments } from "../src/observe/instruments.ts";

/** What prom-client keeps of a metric, which its declaration leaves out. */
interface Registered {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

export const METRICS = new URL("../docs/metrics.md", import.meta.url).pathname;

const HEAD = ["| name | type | labels | meaning |", "|---|---|---|---|"];

/** Every metric of an edge's own, in the order in which the code has them. */
export async function registeredMetrics(): Promise<readonly Registered[]> {
  const registry = new Registry();
  createInstruments(registry);
  const types = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]));
  const metrics = registry.getMetricsAsArray() as unknown as readonly Registered[];
  return metrics.map(({ name, help, labelNames }) => ({
    ...{ name, help, labelNames },
    type: types.get(name) ?? "",
  }));
}

/** docs/metrics.md with the table that the code gives; everything else stays as it was written. */
export async function withMetricsTable(text: string): Promise<string> {
  const lines = text.split("\n");
  const first = lines.indexOf(HEAD[0] ?? "");
  if (first < 0) throw new Error("docs/metrics.md has lost its table");
  const length = lines.slice(first).findIndex((line) => !line.startsWith("|"));
  const rows = (await registeredMetrics()).map(rowOf);
  return lines.toSpliced(first, length, ...HEAD, ...rows).join("\n");
}

function rowOf({ name, type, labelNames, help }: Registered): string {
  const labels = labelNames.map((label) => `\`${label}\``).join(", ");
  return `| \`${name}\` | ${type} |${labels === "" ? "" : ` ${labels}`} | ${help} |`;
}

if (import.meta.main) {
  const text = readFileSync(METRICS, "utf8");
  const wanted = await withMetricsTable(text);
  if (wanted !== text) writeFileSync(METRICS, wanted);
}
