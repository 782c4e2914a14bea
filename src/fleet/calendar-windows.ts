import { type Cron, nextStart, readCron } from "../config/cron.ts";
import type { Config } from "../config/schema.ts";
import type { AdmissionRecord, WindowMark } from "./admissions.ts";

export type MaintenanceEntry = Config["schedule"]["maintenance"][number];

/** Who has said what the calendar says. */
export const CALENDAR = "calendar";

/** One time at which an entry of the calendar is in force. Every edge gives it the same id. */
export interface Window extends WindowMark {
  readonly startWallMs: number;
}

/**
 * How a window stands by the last word on its region:
 * - `due`: nothing speaks against it;
 * - `begun`: it is in force;
 * - `ended`: it was, and somebody has ended it;
 * - `overruled`: somebody has opened the region after its start;
 * - `taken`: the region is drained or closed for another reason, which it does not touch.
 */
export type Standing = "due" | "begun" | "ended" | "overruled" | "taken";

/** The window that an instant is in, or else the next one; null when there is none any more. */
export function windowFrom(entry: MaintenanceEntry, cron: Cron, wallMs: number): Window | null {
  const startWallMs = nextStart(cron, wallMs - entry.lasts);
  if (startWallMs === null) return null;
  const id = `${idPrefix(entry)}${new Date(startWallMs).toISOString()}`;
  return { id, startWallMs, endWallMs: startWallMs + entry.lasts };
}

export function cronOf({ cron, timezone }: MaintenanceEntry): Cron {
  return readCron(cron, timezone);
}

/** When a window begins that has not begun; null when none does any more. */
export function nextAfter(window: Window | null, cron: Cron, wallMs: number): number | null {
  if (window === null || window.startWallMs > wallMs) return window?.startWallMs ?? null;
  return nextStart(cron, Math.max(window.startWallMs, wallMs));
}

/** See {@link Standing}. Ask it of a window that has begun by the clock. */
export function standingOf(window: Window, last: AdmissionRecord | undefined): Standing {
  if (last === undefined) return "due";
  const isOpen = last.state === "open";
  if (last.window?.id === window.id) return isOpen ? "ended" : "begun";
  if (!isOpen) return "taken";
  const isOwn = last.by === CALENDAR && last.window !== undefined;
  return !isOwn && last.sinceWallMs >= window.startWallMs ? "overruled" : "due";
}

/** The window that holds a region back now; null when none does, or it is over. */
export function windowInForce(last: AdmissionRecord | undefined, wallMs: number): WindowMark | null {
  const mark = markOf(last);
  return mark === null || mark.endWallMs <= wallMs ? null : mark;
}

/** The window that a region was last drained or closed for, over or not; null when it was for none. */
export function markOf(last: AdmissionRecord | undefined): WindowMark | null {
  return last === undefined || last.state === "open" ? null : (last.window ?? null);
}

/** Whether it is a window of this entry, however long it lasted when it began. */
export function isOf(entry: MaintenanceEntry, mark: WindowMark): boolean {
  return mark.id.startsWith(idPrefix(entry));
}

/** The calendar's word at the beginning of a window. */
export function beginning(entry: MaintenanceEntry, window: Window, wallMs: number): AdmissionRecord {
  return {
    state: entry.action === "drain" ? "draining" : "closed",
    reason: entry.reason ?? "maintenance",
    by: CALENDAR,
    sinceWallMs: wallMs,
    deadlineWallMs: null,
    window: { id: window.id, endWallMs: window.endWallMs },
  };
}

/** The calendar's word at the end of what it has said itself. */
export function ending(begun: AdmissionRecord, wallMs: number): AdmissionRecord {
  return { ...begun, state: "open", reason: `${begun.reason}: over`, by: CALENDAR, sinceWallMs: wallMs };
}

/** For an audit line. */
export function shownRecord(record: AdmissionRecord | undefined): unknown {
  if (record === undefined) return { state: "open" };
  const until = markOf(record)?.endWallMs ?? null;
  return { state: record.state, by: record.by, until: until === null ? null : new Date(until).toISOString() };
}

function idPrefix({ region, cron }: MaintenanceEntry): string {
  return `${region}|${cron}|`;
}
