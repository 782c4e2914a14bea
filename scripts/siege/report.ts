import type { Held } from "./held.ts";
import type { Phase, SiegeReport, Transfer } from "./run.ts";

/** The report as Markdown. */
export function siegeTable({ phases, transfers, metrics, start, end }: SiegeReport): string {
  return [
    `The edge held ${held(start)} before the first client came, and ${held(end)} after the last one had left.`,
    "",
    ...table(
      [
        "phase",
        "connections",
        "ordinary requests",
        "that succeeded",
        "p50",
        "p99",
        "longest",
        "p99 without the edge",
        "loop late, most",
        "thread ran",
        "waited for a processor",
        "RSS, most",
        "descriptors",
      ],
      phases.map(phaseRow),
    ),
    "",
    ...failures(phases),
    ...table(["transfer", "bytes", "time", "RSS before", "RSS, most"], transfers.map(transferRow)),
    "",
    "What the edge counted:",
    "",
    ...Object.entries(metrics).map(([name, value]) => `- \`${name}\` ${value}`),
  ].join("\n");
}

function phaseRow({ name, ordinary, crowd, edge, lateMs }: Phase): readonly string[] {
  const { idle, active, slowHeads, slowBodies } = crowd;
  const share = ordinary.sent === 0 ? 0 : (100 * ordinary.succeeded) / ordinary.sent;
  const attackers = slowHeads + slowBodies;
  return [
    name,
    `${idle} idle, ${active} active${attackers > 0 ? `, ${slowHeads} slow heads, ${slowBodies} slow bodies` : ""}`,
    String(ordinary.sent),
    `${share.toFixed(2)} %`,
    milliseconds(ordinary.p50Ms),
    milliseconds(ordinary.p99Ms),
    milliseconds(ordinary.maxMs),
    milliseconds(ordinary.controlP99Ms),
    milliseconds(lateMs),
    percent(edge.ran),
    percent(edge.waited),
    mebibytes(edge.most.rssMiB),
    String(edge.last.descriptors),
  ];
}

function transferRow({ name, bytes, seconds, before, edge }: Transfer): readonly string[] {
  const held = [before.rssMiB, edge.most.rssMiB].map(mebibytes);
  return [name, String(bytes), `${seconds.toFixed(1)} s`, ...held];
}

function failures(phases: readonly Phase[]): readonly string[] {
  const lines = phases.flatMap(({ name, ordinary }) => {
    const kinds = Object.entries(ordinary.failures).map(([kind, count]) => `${count} ${kind}`);
    return kinds.length === 0 ? [] : [`- ${name}: ${kinds.join(", ")}`];
  });
  return lines.length === 0 ? [] : ["Ordinary requests that did not succeed:", "", ...lines, ""];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)];
}

function held({ rssMiB, descriptors }: Held): string {
  return `${mebibytes(rssMiB)} and ${descriptors} descriptors`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

function mebibytes(mib: number): string {
  return `${Math.round(mib)} MiB`;
}
