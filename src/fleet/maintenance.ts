import type { Config } from "../config/schema.ts";
import type { AuditLine, EventBus } from "../events.ts";
import type { Admission } from "../routing/region.ts";
import type { AdmissionRecord, AdmissionStore, Admissions } from "./admissions.ts";
import type { Duty } from "./calendar-agenda.ts";
import { CALENDAR, isOf, type Standing, type Window } from "./calendar-windows.ts";
import {
  beginning,
  ending,
  type MaintenanceEntry,
  markOf,
  shownRecord,
  standingOf,
  windowInForce,
} from "./maintenance-words.ts";

export interface MaintenanceParts {
  readonly events: EventBus;
  readonly admissions: Pick<AdmissionStore, "get" | "setAfter" | "onChange">;
  /** Why the region must not be drained or closed now, and what to do instead; null when it may. */
  objection(region: string, admission: Admission): string | null;
}

/**
 * Drains or closes regions at their times. A window is begun only after the word on its region that the edge has seen, and
 * ended only after the calendar's own.
 */
export class Maintenance implements Duty<MaintenanceEntry> {
  readonly name = "maintenance";
  readonly #parts: MaintenanceParts;
  readonly #unsubscribe: () => void;
  #seen: Admissions = new Map();

  constructor(parts: MaintenanceParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.admissions.onChange((admissions) => this.#tell(admissions));
  }

  close(): void {
    this.#unsubscribe();
  }

  entriesOf({ schedule }: Pick<Config, "schedule">): readonly MaintenanceEntry[] {
    return schedule.maintenance;
  }

  standingOf({ region }: MaintenanceEntry, window: Window): Standing {
    return standingOf(window, this.#lastOf(region));
  }

  takenBy({ region }: MaintenanceEntry): string {
    const { by = "", reason = "" } = this.#lastOf(region) ?? {};
    return `${region} is out of service already, by ${by}: ${reason}`;
  }

  tooLateFromMs({ endWallMs }: Window): number {
    return endWallMs;
  }

  objection({ region, action }: MaintenanceEntry): string | null {
    return this.#parts.objection(region, action === "drain" ? "draining" : "closed");
  }

  async begin(entry: MaintenanceEntry, window: Window, nowMs: number): Promise<boolean> {
    const { region, action } = entry;
    const last = this.#lastOf(region);
    const record = beginning(entry, window, nowMs);
    const isBegun = await this.#parts.admissions.setAfter(region, last, record);
    if (isBegun) this.#audit(action, region, last, record);
    return isBegun;
  }

  refused(entry: MaintenanceEntry, window: Window): void {
    const { region, action } = entry;
    const wanted = beginning(entry, window, window.startWallMs);
    this.#audit(action, region, this.#lastOf(region), wanted, "refused");
  }

  async endOver(nowMs: number): Promise<void> {
    for (const [region, record] of this.#parts.admissions.get()) {
      const { window, state } = record;
      if (window === undefined || state === "open" || window.endWallMs > nowMs) continue;
      const over = ending(record, nowMs);
      if (await this.#parts.admissions.setAfter(region, record, over))
        this.#audit("undrain", region, record, over);
    }
  }

  untilOf(entry: MaintenanceEntry, nowMs: number): number | null {
    const mark = windowInForce(this.#lastOf(entry.region), nowMs);
    return mark !== null && isOf(entry, mark.id) ? mark.endWallMs : null;
  }

  #lastOf(region: string): AdmissionRecord | undefined {
    return this.#parts.admissions.get().get(region);
  }

  /** Every edge says what it sees, whoever has begun or ended it. */
  #tell(admissions: Admissions): void {
    const { events } = this.#parts;
    for (const [region, record] of admissions) {
      const before = this.#seen.get(region);
      const [was, is] = [markOf(before), markOf(record)];
      if (was?.id === is?.id) continue;
      if (was !== null) events.emit("maintenanceEnded", { region, by: record.by, why: record.reason });
      if (is === null) continue;
      const until = new Date(is.endWallMs).toISOString();
      events.emit("maintenanceBegan", { region, admission: record.state, until, why: record.reason });
    }
    this.#seen = admissions;
  }

  #audit(
    what: string,
    region: string,
    last: AdmissionRecord | undefined,
    record: AdmissionRecord,
    result: AuditLine["result"] = "done",
  ): void {
    const [before, after] = [shownRecord(last), shownRecord(record)];
    const line = { who: CALENDAR, what, target: region, before, after, why: record.reason, result };
    this.#parts.events.emit("audited", line);
  }
}
