import { type Position, readPosition, writePosition } from "../routing/position.ts";
import type { Move, Step } from "./move.ts";
import type { Changes, Fields } from "./shared-hash.ts";
import type { HoldDown, Topology } from "./topology.ts";

/*
 * The topology as it stands in the shared hash, for edges and for whoever looks at it. `epoch`, `writer`, `mode` and
 * `promotedPosition` are for everybody; the rest is the edges' own.
 */

const MOVE_TEXTS = "id from to by who reason".split(" ");
const MOVE_NUMBERS = "leaseUntilMs sinceMs".split(" ");
const STEPS: readonly Step[] = ["hold", "catch-up", "hook", "verify"];

export function writeTopology(topology: Topology): Changes {
  const { rev, bornMs, epoch, spent, writer, promotions, move, holdDown } = topology;
  return {
    rev: String(rev),
    bornMs: String(Math.round(bornMs)),
    epoch: String(epoch),
    spent: String(spent),
    writer: writer ?? "",
    mode: move === null ? "rw" : "ro",
    promotions: promotions.map(writePosition).join(","),
    promotedPosition: promotions.at(-1)?.at ?? "",
    move: written(move),
    holdDown: written(holdDown),
  };
}

/** Null when there is none, or it is not ours: another version of an edge may have written it. */
export function readTopology(fields: Fields): Topology | null {
  const number = (name: string, otherwise: number) => Number(fields.get(name) ?? otherwise);
  const epoch = number("epoch", Number.NaN);
  const rev = number("rev", 0);
  if (!Number.isSafeInteger(epoch) || epoch < 1 || !Number.isSafeInteger(rev)) return null;
  return {
    rev,
    bornMs: number("bornMs", 0) || 0,
    epoch,
    spent: Math.max(number("spent", epoch) || 0, epoch),
    writer: fields.get("writer") || null,
    promotions: readPromotions(fields.get("promotions") ?? ""),
    move: readMove(json(fields.get("move"))),
    holdDown: readHoldDown(json(fields.get("holdDown"))),
  };
}

function written(value: object | null): string {
  return value === null ? "" : JSON.stringify(value);
}

function readPromotions(text: string): readonly Position[] {
  return text.split(",").flatMap((one) => readPosition(one) ?? []);
}

function readMove(given: Record<string, unknown> | null): Move | null {
  if (given === null) return null;
  const texts = MOVE_TEXTS.every((key) => typeof given[key] === "string");
  const numbers = MOVE_NUMBERS.every((key) => Number.isFinite(given[key]));
  const known = STEPS.includes(given.step as Step);
  const epoch = given.epoch === null || Number.isSafeInteger(given.epoch);
  return texts && numbers && known && epoch ? (given as unknown as Move) : null;
}

function readHoldDown(given: Record<string, unknown> | null): HoldDown | null {
  const sound = Number.isFinite(given?.untilMs) && Number.isFinite(given?.lengthMs);
  return sound ? (given as unknown as HoldDown) : null;
}

function json(text: string | undefined): Record<string, unknown> | null {
  if (!text) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
