import { isDeepStrictEqual } from "node:util";
import { schedule as ring, type ScheduledTask } from "node-cron";
import type { Clock } from "../clock.ts";
import type { Cron } from "../config/cron.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import {
  type CalendarEntry,
  cronOf,
  nextAfter,
  type Standing,
  type Window,
  windowFrom,
} from "./calendar-windows.ts";

const SILENT = { info() {}, warn() {}, error() {}, debug() {} };

/** What the lines of one list of the calendar do when their time comes. */
export interface Duty<Entry extends CalendarEntry> {
  /** What one calls it in a warning. */
  readonly name: string;
  /** What the file has of them. */
  entriesOf(config: Pick<Config, "schedule">): readonly Entry[];
  /** Asked of a window that has begun by the clock. */
  standingOf(entry: Entry, window: Window): Standing;
  /** Of a window that is `taken`: by what. */
  takenBy(entry: Entry): string;
  /** From when on it is too late to begin it. */
  tooLateFromMs(window: Window): number;
  /** Why it must not begin now, and what to do instead; null when it may. */
  objection(entry: Entry): string | null;
  /** Tries to begin it, and says so if it did. Rejects with `SharedAway`. */
  begin(entry: Entry, window: Window, nowMs: number): Promise<boolean>;
  /** Says that it was not begun, for that reason. */
  refused(entry: Entry, window: Window, objection: string): void;
  /** Ends what is over by the clock. Rejects with `SharedAway`. */
  endOver(nowMs: number): Promise<void>;
  /** When the window of this entry that is in force ends; null when none is. */
  untilOf(entry: Entry, nowMs: number): number | null;
}

/** One line of the calendar and when it is in force, for people. */
export interface Scheduled<Entry> {
  readonly entry: Entry;
  readonly nextWallMs: number | null;
  /** When the window that is in force ends; null when none is. */
  readonly untilWallMs: number | null;
}

/** An entry, its bell, and what this edge knows of its present window. */
interface Watched<Entry> {
  readonly entry: Entry;
  readonly cron: Cron;
  readonly bell: ScheduledTask;
  /** The one that is on, or comes next. */
  window: Window | null;
  /** `new`: this edge has not seen it on yet. `seen`: it has been begun, or need not be. `refused`: not by this edge. */
  fate: "new" | "seen" | "refused";
}

/** One list of the calendar: begins each of its windows once, by whichever edge comes first. */
export class Agenda<Entry extends CalendarEntry> {
  readonly #duty: Duty<Entry>;
  readonly #parts: { readonly clock: Clock; readonly events: EventBus };
  #watched: readonly Watched<Entry>[] = [];
  #lookedWallMs = Number.NEGATIVE_INFINITY;

  constructor(duty: Duty<Entry>, parts: { readonly clock: Clock; readonly events: EventBus }) {
    this.#duty = duty;
    this.#parts = parts;
  }

  /** Replaces the list; `rung` is called when the time of an entry has come. A window that is on stays so. */
  configure(config: Pick<Config, "schedule">, rung: () => void): void {
    const before = new Set(this.#watched);
    this.#watched = this.#duty.entriesOf(config).map((entry) => {
      const known = [...before].find((each) => isDeepStrictEqual(each.entry, entry));
      if (known !== undefined) before.delete(known);
      return known ?? this.#watch(entry, rung);
    });
    for (const { bell } of before) void bell.destroy();
  }

  close(): void {
    for (const { bell } of this.#watched) void bell.destroy();
  }

  status(): readonly Scheduled<Entry>[] {
    const nowMs = this.#parts.clock.wall();
    return this.#watched.map(({ entry, cron }) => ({
      entry,
      nextWallMs: nextAfter(windowFrom(entry, cron, nowMs), cron, nowMs),
      untilWallMs: this.#duty.untilOf(entry, nowMs),
    }));
  }

  /** Ends and begins what is due. Rejects with `SharedAway`, and then it is due still. */
  async look(nowMs: number): Promise<void> {
    try {
      await this.#duty.endOver(nowMs);
      for (const watched of this.#watched) await this.#beginIfDue(watched, nowMs);
    } finally {
      this.#lookedWallMs = nowMs;
    }
  }

  async #beginIfDue(watched: Watched<Entry>, nowMs: number): Promise<void> {
    this.#moveOn(watched, nowMs);
    const { entry, window, fate } = watched;
    if (window === null || window.startWallMs > nowMs || fate === "refused") return;
    const standing = this.#duty.standingOf(entry, window);
    if (standing === "taken" && fate === "new") this.#warn("put off", this.#duty.takenBy(entry));
    if (standing !== "due") watched.fate = "seen";
    else if (nowMs >= this.#duty.tooLateFromMs(window)) this.#miss(watched, window);
    else await this.#begin(watched, window, nowMs);
  }

  async #begin(watched: Watched<Entry>, window: Window, nowMs: number): Promise<void> {
    const { entry } = watched;
    const objection = this.#duty.objection(entry);
    if (objection !== null) {
      watched.fate = "refused";
      this.#warn("refused", `${entry.region} stays open: ${objection}`);
      this.#duty.refused(entry, window, objection);
    } else if (await this.#duty.begin(entry, window, nowMs)) watched.fate = "seen";
  }

  /** On to the next window when one is over. One that passed while this edge slept, or could say nothing, is not made up. */
  #moveOn(watched: Watched<Entry>, nowMs: number): void {
    const { window, entry, cron } = watched;
    const isBack = nowMs < this.#lookedWallMs;
    if (window !== null && window.endWallMs > nowMs && !isBack) return;
    const next = windowFrom(entry, cron, nowMs);
    if (next?.id === window?.id) return;
    if (window !== null && window.endWallMs <= nowMs) this.#miss(watched, window);
    watched.window = next;
    watched.fate = "new";
  }

  /** Says that nobody has begun it, if so and this edge did not know. */
  #miss(watched: Watched<Entry>, window: Window): void {
    const { entry, fate } = watched;
    if (fate !== "new") return;
    watched.fate = "seen";
    const standing = this.#duty.standingOf(entry, window);
    if (standing !== "begun" && standing !== "ended")
      this.#warn("missed", `${entry.region}: nobody could begin ${window.id} in its time`);
  }

  #watch(entry: Entry, rung: () => void): Watched<Entry> {
    const cron = cronOf(entry);
    const bell = ring(entry.cron, rung, {
      timezone: entry.timezone,
      noOverlap: true,
      unref: true,
      suppressMissedWarning: true,
      logger: SILENT,
    });
    return { entry, cron, bell, window: windowFrom(entry, cron, this.#parts.clock.wall()), fate: "new" };
  }

  #warn(what: string, detail: string): void {
    this.#parts.events.emit("warned", { what: `${this.#duty.name} ${what}`, detail });
  }
}
