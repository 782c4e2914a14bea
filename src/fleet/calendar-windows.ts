import { type Cron, nextStart, readCron } from "../config/cron.ts";

/** Who has said what the calendar says. */
export const CALENDAR = "calendar";

/** What every line of the calendar has: what it is about, and when. */
export interface CalendarEntry {
  readonly region: string;
  readonly cron: string;
  readonly timezone: string;
  readonly lasts: number;
}

/** One time at which an entry of the calendar is in force. Every edge gives it the same id. */
export interface Window {
  readonly id: string;
  readonly startWallMs: number;
  readonly endWallMs: number;
}

/**
 * How a window stands, of which the time has come:
 * - `due`: nothing speaks against it;
 * - `begun`: it is in force;
 * - `ended`: it was, and somebody has ended it;
 * - `overruled`: somebody has said otherwise after its start;
 * - `taken`: something else is in force, which it does not touch.
 */
export type Standing = "due" | "begun" | "ended" | "overruled" | "taken";

/** The window that an instant is in, or else the next one; null when there is none any more. */
export function windowFrom(entry: CalendarEntry, cron: Cron, wallMs: number): Window | null {
  const startWallMs = nextStart(cron, wallMs - entry.lasts);
  if (startWallMs === null) return null;
  const id = `${idPrefix(entry)}${new Date(startWallMs).toISOString()}`;
  return { id, startWallMs, endWallMs: startWallMs + entry.lasts };
}

export function cronOf({ cron, timezone }: CalendarEntry): Cron {
  return readCron(cron, timezone);
}

/** When a window begins that has not begun; null when none does any more. */
export function nextAfter(window: Window | null, cron: Cron, wallMs: number): number | null {
  if (window === null || window.startWallMs > wallMs) return window?.startWallMs ?? null;
  return nextStart(cron, Math.max(window.startWallMs, wallMs));
}

/** Whether it is the id of a window of this entry, however long it lasted when it began. */
export function isOf(entry: CalendarEntry, windowId: string): boolean {
  return windowId.startsWith(idPrefix(entry));
}

function idPrefix({ region, cron }: CalendarEntry): string {
  return `${region}|${cron}|`;
}
