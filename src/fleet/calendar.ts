import { isDeepStrictEqual } from "node:util";
import { schedule as ring, type ScheduledTask } from "node-cron";
import type { Clock } from "../clock.ts";
import type { Cron } from "../config/cron.ts";
import type { Config } from "../config/schema.ts";
import type { AuditLine, EventBus } from "../events.ts";
import type { Admission } from "../routing/region.ts";
import type { AdmissionRecord, AdmissionStore, Admissions } from "./admissions.ts";
import {
  beginning,
  CALENDAR,
  cronOf,
  ending,
  isOf,
  type MaintenanceEntry,
  markOf,
  nextAfter,
  shownRecord,
  standingOf,
  type Window,
  windowFrom,
  windowInForce,
} from "./calendar-windows.ts";
import { SharedAway } from "./shared-hash.ts";

/** A window that nobody could begin, or end, in time is looked at again this often. */
const LOOK_INTERVAL_MS = 1_000;

const SILENT = { info() {}, warn() {}, error() {}, debug() {} };

export interface CalendarParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly admissions: Pick<AdmissionStore, "get" | "setAfter" | "onChange">;
  /** Why the region must not be drained or closed now, and what to do instead; null when it may. */
  objection(region: string, admission: Admission): string | null;
}

/** One entry of the calendar and when it is in force, for people. */
export interface ScheduledMaintenance {
  readonly entry: MaintenanceEntry;
  readonly nextWallMs: number | null;
  /** When the window that is in force ends; null when none is. */
  readonly untilWallMs: number | null;
}

/** An entry, its bell, and what this edge knows of its present window. */
interface Watched {
  readonly entry: MaintenanceEntry;
  readonly cron: Cron;
  readonly bell: ScheduledTask;
  /** The one that is on, or comes next. */
  window: Window | null;
  /** `new`: this edge has not seen it on yet. `seen`: it has been begun, or need not be. `refused`: not by this edge. */
  fate: "new" | "seen" | "refused";
}

/**
 * Begins and ends maintenance windows. Every edge of a fleet tries, and the admissions let one of them: a window is
 * begun only after the word that the edge has seen, and ended only after the calendar's own. So it makes no difference
 * who tries, when, or how often, and an edge that comes late begins what is still on.
 */
export class Calendar {
  readonly #parts: CalendarParts;
  readonly #unsubscribe: () => void;
  #watched: readonly Watched[] = [];
  #seen: Admissions;
  #looking: Promise<void> | null = null;
  #lookedWallMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: CalendarParts) {
    this.#parts = parts;
    this.#seen = new Map();
    this.#unsubscribe = parts.admissions.onChange((admissions) => this.#tell(admissions));
  }

  /** Replaces the calendar. A window that is on stays so until the end that it was begun with. */
  configure({ schedule }: Pick<Config, "schedule">): void {
    const before = new Set(this.#watched);
    this.#watched = schedule.maintenance.map((entry) => {
      const known = [...before].find((each) => isDeepStrictEqual(each.entry, entry));
      if (known !== undefined) before.delete(known);
      return known ?? this.#watch(entry);
    });
    for (const { bell } of before) void bell.destroy();
  }

  /** Begins what is on already. Call it when health and admissions are known. */
  async start(): Promise<void> {
    await this.look();
    if (this.#isClosed) return;
    this.#timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#unsubscribe();
    for (const { bell } of this.#watched) void bell.destroy();
    await this.#looking;
  }

  status(): readonly ScheduledMaintenance[] {
    const nowMs = this.#parts.clock.wall();
    return this.#watched.map(({ entry, cron }) => {
      const mark = windowInForce(this.#parts.admissions.get().get(entry.region), nowMs);
      const nextWallMs = nextAfter(windowFrom(entry, cron, nowMs), cron, nowMs);
      return { entry, nextWallMs, untilWallMs: mark !== null && isOf(entry, mark) ? mark.endWallMs : null };
    });
  }

  /** Ends and begins what is due. Never rejects; a second call while the first runs waits for that one. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#broke(error))
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    if (this.#isClosed) return;
    const nowMs = this.#parts.clock.wall();
    try {
      for (const [region, record] of this.#parts.admissions.get())
        await this.#endIfOver(region, record, nowMs);
      for (const watched of this.#watched) await this.#beginIfDue(watched, nowMs);
    } catch (error) {
      // The store is away: what is due is still due at the next look.
      if (!(error instanceof SharedAway)) throw error;
    } finally {
      this.#lookedWallMs = nowMs;
    }
  }

  async #endIfOver(region: string, record: AdmissionRecord, nowMs: number): Promise<void> {
    if (record.window === undefined || record.state === "open" || record.window.endWallMs > nowMs) return;
    const over = ending(record, nowMs);
    if (await this.#parts.admissions.setAfter(region, record, over))
      this.#audit("undrain", region, record, over);
  }

  async #beginIfDue(watched: Watched, nowMs: number): Promise<void> {
    this.#moveOn(watched, nowMs);
    const { entry, window, fate } = watched;
    if (window === null || window.startWallMs > nowMs || fate === "refused") return;
    const last = this.#parts.admissions.get().get(entry.region);
    const standing = standingOf(window, last);
    if (standing === "taken" && fate === "new") {
      const { by = "", reason = "" } = last ?? {};
      this.#warn("maintenance put off", `${entry.region} is out of service already, by ${by}: ${reason}`);
    }
    if (standing !== "due") watched.fate = "seen";
    else await this.#begin(watched, window, last, nowMs);
  }

  async #begin(
    watched: Watched,
    window: Window,
    last: AdmissionRecord | undefined,
    nowMs: number,
  ): Promise<void> {
    const { entry } = watched;
    const { region, action } = entry;
    const record = beginning(entry, window, nowMs);
    const objection = this.#parts.objection(region, record.state);
    if (objection !== null) {
      watched.fate = "refused";
      this.#warn("maintenance refused", `${region} stays open: ${objection}`);
      this.#audit(action, region, last, record, "refused");
    } else if (await this.#parts.admissions.setAfter(region, last, record)) {
      watched.fate = "seen";
      this.#audit(action, region, last, record);
    }
  }

  /** On to the next window when one is over. One that passed while this edge slept, or could say nothing, is not made up. */
  #moveOn(watched: Watched, nowMs: number): void {
    const { window, entry, cron, fate } = watched;
    const isBack = nowMs < this.#lookedWallMs;
    if (window !== null && window.endWallMs > nowMs && !isBack) return;
    const next = windowFrom(entry, cron, nowMs);
    if (next?.id === window?.id) return;
    const wasOver = window !== null && window.endWallMs <= nowMs;
    if (wasOver && fate === "new" && this.#parts.admissions.get().get(entry.region)?.window?.id !== window.id)
      this.#warn("maintenance missed", `${entry.region}: nobody could begin ${window.id} in its time`);
    watched.window = next;
    watched.fate = "new";
  }

  #watch(entry: MaintenanceEntry): Watched {
    const cron = cronOf(entry);
    const bell = ring(entry.cron, () => this.look(), {
      timezone: entry.timezone,
      noOverlap: true,
      unref: true,
      suppressMissedWarning: true,
      logger: SILENT,
    });
    return { entry, cron, bell, window: windowFrom(entry, cron, this.#parts.clock.wall()), fate: "new" };
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

  #warn(what: string, detail: string): void {
    this.#parts.events.emit("warned", { what, detail });
  }

  #broke(error: unknown): void {
    const told = error instanceof Error ? error : new Error(String(error));
    this.#parts.events.emit("failed", { where: "calendar", error: told });
  }
}
