import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import type { Duty } from "./calendar-agenda.ts";
import { CALENDAR, isOf, type Standing, type Window } from "./calendar-windows.ts";
import type { DrillWindow } from "./drill.ts";
import { NotBegun } from "./drill-wish.ts";
import type { Drills } from "./drills.ts";

export type DrillEntry = Config["schedule"]["drills"][number];

export interface DrillDutyParts {
  readonly events: EventBus;
  readonly drills: Pick<Drills, "begin" | "hasBegun" | "outlook" | "present">;
}

/**
 * Begins drills at their times. Which window was begun is told to the shared memory with the drill, in one change, so that
 * no window is begun twice, whatever became of it. A drill ends by itself.
 */
export class DrillDuty implements Duty<DrillEntry> {
  readonly name = "drill";
  readonly #parts: DrillDutyParts;

  constructor(parts: DrillDutyParts) {
    this.#parts = parts;
  }

  entriesOf({ schedule }: Pick<Config, "schedule">): readonly DrillEntry[] {
    return schedule.drills;
  }

  standingOf(entry: DrillEntry, window: Window): Standing {
    const { drills } = this.#parts;
    const { present } = drills;
    if (drills.hasBegun(windowOf(entry, window))) return present?.window === window.id ? "begun" : "ended";
    return present === null ? "due" : "taken";
  }

  takenBy({ region }: DrillEntry): string {
    return `the drill of ${region} waits for the end of that of ${this.#parts.drills.present?.region ?? "another"}`;
  }

  /** What is left of a drill that began late has to be worth it. */
  tooLateFromMs({ startWallMs, endWallMs }: Window): number {
    return startWallMs + (endWallMs - startWallMs) / 2;
  }

  objection({ region, kind, lasts }: DrillEntry): string | null {
    const { obstacle, objections } = this.#parts.drills.outlook({ region, kind, lastsMs: lasts });
    const found = obstacle ?? objections[0] ?? null;
    return found && `${found.why}. ${found.instead}`;
  }

  async begin(entry: DrillEntry, window: Window, nowMs: number): Promise<boolean> {
    const { region, kind, abortAbove } = entry;
    const wish = { region, kind, abortAbove, lastsMs: window.endWallMs - nowMs, forced: false };
    const said = { who: CALENDAR, reason: reasonOf(entry) };
    try {
      const drill = await this.#parts.drills.begin({ ...wish, ...said }, windowOf(entry, window));
      this.#audit(entry, { drill: drill.id, kind, until: new Date(drill.untilMs).toISOString() }, "done");
      return true;
    } catch (error) {
      if (error instanceof NotBegun) return false;
      throw error;
    }
  }

  refused(entry: DrillEntry, window: Window): void {
    const { kind } = entry;
    this.#audit(entry, { kind, until: new Date(window.endWallMs).toISOString() }, "refused");
  }

  async endOver(): Promise<void> {}

  untilOf(entry: DrillEntry, nowMs: number): number | null {
    const { present } = this.#parts.drills;
    if (present === null || present.end !== null || present.untilMs <= nowMs) return null;
    return present.window !== null && isOf(entry, present.window) ? present.untilMs : null;
  }

  #audit(entry: DrillEntry, after: object, result: "done" | "refused"): void {
    const line = { who: CALENDAR, what: "begin-drill", target: entry.region, before: null, after };
    this.#parts.events.emit("audited", { ...line, why: reasonOf(entry), result });
  }
}

function windowOf({ region, cron, timezone }: DrillEntry, { id }: Window): DrillWindow {
  return { line: `${region}|${cron}|${timezone}`, id };
}

function reasonOf({ reason }: DrillEntry): string {
  return reason ?? "scheduled drill";
}
