import { formatDuration } from "../config/values.ts";
import type { CalendarStatus } from "../fleet/calendar.ts";
import type { AdminApp } from "./app.ts";
import { scheduleAnswer } from "./fleet-messages.ts";
import type { AdminParts } from "./parts.ts";

/** The calendar. */
export function addScheduleRoutes(app: AdminApp, parts: AdminParts): void {
  const schema = {
    summary: "What happens by the clock, and when next.",
    response: { 200: scheduleAnswer },
  };
  app.get("/v1/schedule", { config: { access: "viewer" }, schema }, () => {
    const { maintenance, drills } = parts.schedule();
    return { maintenance: maintenance.map(shown), drills: drills.map(shownDrill) };
  });
}

function shown({ entry, nextWallMs, untilWallMs }: CalendarStatus["maintenance"][number]) {
  const { region, cron, timezone, lasts, action, reason = null } = entry;
  const [next, until] = [instant(nextWallMs), instant(untilWallMs)];
  return {
    region,
    action,
    cron,
    timezone,
    lasts: formatDuration(lasts),
    reason,
    next,
    open: until !== null,
    until,
  };
}

function shownDrill({ entry, nextWallMs, untilWallMs }: CalendarStatus["drills"][number]) {
  const { region, kind, cron, timezone, lasts, abortAbove, reason = null } = entry;
  const [next, until] = [instant(nextWallMs), instant(untilWallMs)];
  const running = until !== null;
  return {
    region,
    kind,
    cron,
    timezone,
    lasts: formatDuration(lasts),
    abortAbove,
    reason,
    next,
    running,
    until,
  };
}

function instant(wallMs: number | null): string | null {
  return wallMs === null ? null : new Date(wallMs).toISOString();
}
