import type { StatusAnswer } from "../admin/messages.ts";
import type { RegionAnswer } from "../admin/region-messages.ts";
import { milliseconds, percent } from "./format.ts";
import type { Weight } from "./happenings.ts";

/** How a region is, in one word; the worst of what is true of it. */
export interface Condition {
  readonly weight: Weight;
  readonly word: string;
  /** What an operator asks next. */
  readonly detail: string;
}

/** What the console knows of the file's rules. */
export interface Limits {
  readonly maxLagMs: number;
}

export type Seen = Pick<
  RegionAnswer,
  "id" | "role" | "health" | "admission" | "operator" | "lagMs" | "fenced" | "warmth" | "endpoints"
>;

export function conditionOf(region: Seen, { maxLagMs }: Limits): Condition {
  const { role, health, admission, operator, lagMs, fenced, warmth } = region;
  if (health === "down") return { weight: "crit", word: "down", detail: causeOf(region) };
  if (fenced) return { weight: "crit", word: "fenced", detail: "takes writes of an epoch that is over" };
  if (admission === "closed") return { weight: "note", word: "closed", detail: saidBy(operator) };
  if (admission === "draining") return { weight: "note", word: "draining", detail: saidBy(operator) };
  if (health === "unknown") return { weight: "warn", word: "unknown", detail: "no probe has come back yet" };
  if (lagMs !== null && lagMs > maxLagMs)
    return { weight: "warn", word: "lagging", detail: `${milliseconds(lagMs)}; serves nobody who signs in` };
  if (health === "degraded") return { weight: "warn", word: "degraded", detail: causeOf(region) };
  if (warmth < 1)
    return { weight: "note", word: "warming up", detail: `takes ${percent(warmth)} of its traffic` };
  if (role === "standby") return { weight: "ok", word: "standing by", detail: "" };
  return { weight: "ok", word: "serving", detail: "" };
}

/** What is wrong with its endpoints; the first says it for all. */
function causeOf({ endpoints }: Seen): string {
  const unwell = endpoints.filter(({ health }) => health === "down" || health === "degraded");
  const [first] = unwell;
  if (first === undefined) return "";
  const cause =
    first.lastProbe?.cause ?? (first.failuresInARow > 0 ? "requests fail" : (first.lastProbe?.result ?? ""));
  return unwell.length < endpoints.length
    ? `${unwell.length} of ${endpoints.length} endpoints: ${cause}`
    : cause;
}

function saidBy(operator: RegionAnswer["operator"]): string {
  return operator === null ? "by its own wish, or a drill" : `${operator.reason} (${operator.by})`;
}

/** Whether requests are sent there, or may be. */
export function isServing({ health, admission }: Pick<Seen, "health" | "admission">): boolean {
  return (health === "up" || health === "degraded") && admission === "open";
}

/** What the fleet is doing, as a sentence, and how bad that is. */
export interface Headline {
  readonly weight: Weight;
  readonly text: string;
}

export function headlineOf(status: StatusAnswer, regions: readonly Seen[]): Headline {
  const down = regions.filter(({ health }) => health === "down").map(({ id }) => id);
  const up = regions.filter(isServing);
  if (up.length === 0) return { weight: "crit", text: "No region is up and open." };
  if (status.writeRegion !== null && down.includes(status.writeRegion) && status.move === null)
    return { weight: "crit", text: `The write region ${status.writeRegion} is down. Writes are refused.` };
  if (status.move !== null)
    return {
      weight: "warn",
      text: `The write region is moving from ${status.move.from} to ${status.move.to}.`,
    };
  const out = regions
    .filter(({ admission }) => admission !== "open")
    .map(({ id, admission }) => `${id} is ${admission}`);
  const serving = `${up.length} of ${regions.length} regions serve.`;
  if (down.length > 0)
    return { weight: "crit", text: `${down.map((id) => `${id} is down`).join(", ")}. ${serving}` };
  if (out.length > 0) return { weight: "note", text: `${out.join(", ")}. ${serving}` };
  if (up.length < regions.length) return { weight: "warn", text: serving };
  return {
    weight: "ok",
    text: regions.length === 1 ? "The only region serves." : `All ${regions.length} regions serve.`,
  };
}

/** Whether an edge's word is too old to be taken for the present. */
export function staleMs(heardAtMs: number | null, nowMs: number): number | null {
  const agoMs = heardAtMs === null ? 0 : nowMs - heardAtMs;
  return agoMs > STALE_AFTER_MS ? agoMs : null;
}

const STALE_AFTER_MS = 5_000;
