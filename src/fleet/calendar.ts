import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import { Agenda, type Duty, type Scheduled } from "./calendar-agenda.ts";
import type { DrillEntry } from "./drill-duty.ts";
import type { MaintenanceEntry } from "./maintenance-words.ts";
import { SharedAway } from "./shared-hash.ts";

/** A window that nobody could begin, or end, in time is looked at again this often. */
const LOOK_INTERVAL_MS = 1_000;

export interface CalendarParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly maintenance: Duty<MaintenanceEntry>;
  readonly drills: Duty<DrillEntry>;
}

/** The calendar for people, in the order of the file. */
export interface CalendarStatus {
  readonly maintenance: readonly Scheduled<MaintenanceEntry>[];
  readonly drills: readonly Scheduled<DrillEntry>[];
}

/**
 * Begins and ends what is to happen by the clock. Every edge of a fleet tries, and the shared memory lets one of them: a
 * window is begun by a compare-and-set after what the edge has seen. So it makes no difference who tries, when, or how
 * often, and an edge that comes late begins what is still on.
 */
export class Calendar {
  readonly #parts: CalendarParts;
  readonly #maintenance: Agenda<MaintenanceEntry>;
  readonly #drills: Agenda<DrillEntry>;
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: CalendarParts) {
    this.#parts = parts;
    this.#maintenance = new Agenda(parts.maintenance, parts);
    this.#drills = new Agenda(parts.drills, parts);
  }

  /** Replaces the calendar. A window that is on stays so until the end that it was begun with. */
  configure(config: Pick<Config, "schedule">): void {
    for (const list of this.#lists) list.configure(config, () => this.look());
  }

  /** Begins what is on already. Call it when health and what the others say are known. */
  async start(): Promise<void> {
    await this.look();
    if (this.#isClosed) return;
    this.#timer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const list of this.#lists) list.close();
    await this.#looking;
  }

  status(): CalendarStatus {
    return { maintenance: this.#maintenance.status(), drills: this.#drills.status() };
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

  get #lists() {
    return [this.#maintenance, this.#drills];
  }

  async #look(): Promise<void> {
    for (const list of this.#lists) {
      if (this.#isClosed) return;
      // While the store is away what is due stays due, until the next look.
      await list.look(this.#parts.clock.wall()).catch((error: unknown) => {
        if (!(error instanceof SharedAway)) throw error;
      });
    }
  }

  #broke(error: unknown): void {
    const told = error instanceof Error ? error : new Error(String(error));
    this.#parts.events.emit("failed", { where: "calendar", error: told });
  }
}
