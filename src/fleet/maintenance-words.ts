import type { Config } from "../config/schema.ts";
import type { AdmissionRecord, WindowMark } from "./admissions.ts";
import { CALENDAR, type Standing, type Window } from "./calendar-windows.ts";

/*
 * Maintenance windows by the words that are said of regions. Pure.
 */

export type MaintenanceEntry = Config["schedule"]["maintenance"][number];

/** How a window stands by the last word on its region. Ask it of a window that has begun by the clock. */
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
