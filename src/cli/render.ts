import { styleText } from "node:util";
import type { DecisionAnswer, ExplanationAnswer } from "../admin/decision-messages.ts";
import type { WriteRegionAnswer } from "../admin/fleet-messages.ts";
import type { StatusAnswer } from "../admin/messages.ts";
import type { AdmissionAnswer, RegionAnswer } from "../admin/region-messages.ts";
import { table } from "./table.ts";

/** What stands for "not known" or "none". */
const NONE = "-";

type There = AdmissionAnswer["affected"];

type Colour = "green" | "yellow" | "red";

const COLOURS: Readonly<Record<string, Colour>> = {
  up: "green",
  degraded: "yellow",
  draining: "yellow",
  down: "red",
  closed: "red",
  serves: "green",
};

/** Words that say how a region is, coloured where they stand alone. */
export function paint(text: string): string {
  return text.replace(/(?<= |^)(up|degraded|draining|down|closed|serves)(?= {2,}|$)/gm, (word) =>
    styleText(COLOURS[word] ?? "reset", word, { validateStream: false }),
  );
}

/** What an edge is, on one line. */
export function headLine(status: StatusAnswer): string {
  return [
    status.edge,
    status.version,
    `running ${duration(status.uptimeSeconds * 1000)}`,
    `configuration ${status.configVersion}`,
    status.writeRegion === null ? "several writers" : `write region ${status.writeRegion}`,
    `consistency ${status.consistency}`,
    `redis ${status.redis}`,
    ...(status.edges > 1 ? [`${status.edges} edges`] : []),
    ...(status.workers > 1 ? [`${status.workers} workers`] : []),
  ].join(" · ");
}

export function statusText(status: StatusAnswer, regions: readonly RegionAnswer[]): string {
  const move = status.move === null ? "" : `\n${moveLine(status.move)}`;
  const drains = regions.flatMap((region) => drainLine(region) ?? []).map((line) => `${line}\n`);
  const below = drains.length === 0 ? "" : `\n${drains.join("")}`;
  return `${headLine(status)}${move}\n\n${regionTable(regions)}${below}`;
}

/** When a drain has nobody to wait for any more. */
function emptyText({ sessions, pins, tunnels, streams, estimatedEnd }: There): string {
  const isEmpty = sessions === 0 && pins + tunnels + streams === 0;
  return isEmpty ? "nobody to wait for" : `empty at about ${estimatedEnd}`;
}

/** Whom a drain waits for. */
function drainLine({ id, drain }: RegionAnswer): string | null {
  if (drain === null) return null;
  const { deadline, estimatedEnd } = drain;
  const ends = [
    ...(estimatedEnd === null ? [] : [emptyText(drain)]),
    deadline === null ? "no deadline" : `closed at ${deadline}`,
  ];
  return `${id} drains: ${thereText(drain)}; ${ends.join(", ")}`;
}

function moveLine({ from, to, step, by, who, reason }: NonNullable<StatusAnswer["move"]>): string {
  return `writes wait: they move from ${from} to ${to} (${step}, by the edge ${by}), because of ${who}: ${reason}`;
}

export function admissionText(answer: AdmissionAnswer): string {
  const { region, dryRun, admission, affected, moves } = answer;
  const until = admission.deadline === null ? "" : ` until ${admission.deadline}`;
  const head = dryRun
    ? `${region} is ${answer.before} and would be ${admission.state}${until}; nothing was changed`
    : `${region} was ${answer.before} and is ${admission.state}${until}`;
  const end = affected.estimatedEnd === null ? "" : `; ${emptyText(affected)}`;
  const there = `there now, at this edge: ${thereText(affected)}${end}`;
  return `${head}\n${there}\n\n${movesTable(moves)}${loadText(answer.load)}`;
}

/** Where new traffic goes before and after. */
export function movesTable(moves: AdmissionAnswer["moves"]): string {
  const rows = moves.map(({ traffic, jurisdictions, before, after }) => [
    jurisdictions === null ? traffic : `${traffic} held in ${jurisdictions.join(", ")}`,
    destination(before),
    destination(after),
  ]);
  return table([{ title: "NEW TRAFFIC" }, { title: "WENT TO" }, { title: "GOES TO" }], rows);
}

/** Requests a second, now and then. */
export function loadText(load: AdmissionAnswer["load"]): string {
  if (load.length === 0) return "";
  const rows = load.map(({ region, before, after, capacity }) => [
    region,
    ...[before, after, capacity ?? NONE].map(String),
  ]);
  const numbers = ["REQUESTS/S", "THEN", "CAPACITY"].map((title) => ({ title, right: true }));
  return `\n${table([{ title: "REGION" }, ...numbers], rows)}`;
}

function thereText({
  sessions,
  pins,
  tunnels,
  streams,
  requestsInFlight,
}: Omit<There, "estimatedEnd">): string {
  const counts = [
    `${sessions ?? "unknown"} sessions`,
    `${pins} pinned users`,
    `${tunnels} tunnels`,
    `${streams} event streams`,
    `${requestsInFlight} requests in flight`,
  ];
  return counts.join(", ");
}

export function writeRegionText({
  dryRun,
  before,
  after,
  promotedPosition,
  heldMs,
}: WriteRegionAnswer): string {
  const [from, to] = [before, after].map(({ writeRegion, epoch }) => `${writeRegion} (epoch ${epoch})`);
  if (dryRun) return `writes go to ${from} and would go to ${to}; nothing was changed\n`;
  const held = `writes were held for ${duration(heldMs ?? 0)}`;
  return `writes went to ${from} and go to ${to}; it begins at ${promotedPosition}; ${held}\n`;
}

export function decisionText({ request, explanation }: DecisionAnswer): string {
  const head = `${request.method} ${request.path} was answered ${request.status}`;
  if (explanation === null) return `${head}; it was refused before it was routed\n`;
  return `${head}\n${explanationText(explanation)}`;
}

export function explanationText({ decision, facts, pin, regions }: ExplanationAnswer): string {
  const served =
    decision.kind === "routed"
      ? `${decision.region}, because of ${decision.reason}`
      : `refused, because of ${decision.fault}`;
  const known = [
    `a ${facts.intent}`,
    facts.identified ? "of a known user" : "of nobody known",
    `pin ${pin}`,
    ...(facts.affinity === null ? [] : [`session at ${facts.affinity}`]),
    ...(facts.jurisdictions === null ? [] : [`held in ${facts.jurisdictions.join(", ")}`]),
  ].join(", ");
  const rows = regions.map((region) => [...regionCells(region), region.obstacle ?? region.verdict]);
  return `${served}\n${known}\n\n${table([...REGION_COLUMNS, { title: "VERDICT" }], rows)}`;
}

export const REGION_COLUMNS = [
  { title: "REGION" },
  { title: "ROLE" },
  { title: "HEALTH" },
  { title: "ADMISSION" },
  { title: "LATENCY", right: true },
  { title: "LAG", right: true },
] as const;

/** The cells under {@link REGION_COLUMNS}. */
export function regionCells(
  region: Pick<RegionAnswer, "id" | "role" | "health" | "admission" | "latencyMs" | "lagMs">,
) {
  const { id, role, health, admission, latencyMs, lagMs } = region;
  return [id, role, health, admission, milliseconds(latencyMs), milliseconds(lagMs)];
}

function regionTable(regions: readonly RegionAnswer[]): string {
  const counts = ["REQ/S", "IN FLIGHT", "TUNNELS", "SESSIONS"].map((title) => ({ title, right: true }));
  const rows = regions.map((region) => [
    ...regionCells(region),
    String(region.requestsPerSecond),
    String(region.requestsInFlight),
    String(region.tunnels),
    String(region.sessions ?? NONE),
    note(region),
  ]);
  return table([...REGION_COLUMNS, ...counts, { title: "WHY" }], rows);
}

/** What an operator has said, and what ails it. */
export function note({ operator, health, endpoints, fenced }: RegionAnswer): string {
  const said = operator === null || operator.state === "open" ? [] : [wordOf(operator)];
  if (fenced) said.push("fenced: it takes writes of an epoch that is over");
  if (health === "up") return said.join("; ");
  const causes = endpoints.flatMap(({ lastProbe }) => lastProbe?.cause ?? []);
  return [...said, ...new Set(causes)].join("; ");
}

function wordOf({ reason, by, state, deadline }: NonNullable<RegionAnswer["operator"]>): string {
  const until = state === "closed" || deadline === null ? "" : `, until ${deadline}`;
  return `${reason} (${by}${until})`;
}

function destination({ regions, fault }: AdmissionAnswer["moves"][number]["before"]): string {
  if (fault !== null) return `refused (${fault})`;
  const [only] = regions;
  if (only && regions.length === 1) return only.region;
  return regions.map(({ region, share }) => `${region} ${Math.round(share * 100)} %`).join(", ");
}

function milliseconds(ms: number | null): string {
  return ms === null ? NONE : ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

export function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
