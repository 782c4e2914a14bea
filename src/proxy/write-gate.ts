import type { EventBus } from "../events.ts";
import type { RegionTable } from "../regions/table.ts";

/** More writes than these are not held at a time. */
const MOST_HELD = 1_000;
/** Nor more than these bytes of them, as far as one knows. */
const MOST_HELD_BYTES = 32 * 1_048_576;
/** What Node reads of a body before anybody asks for it, and what a head takes. */
const BUFFERED_BYTES = 65_536;
const HEAD_BYTES = 4_096;

export interface WriteGateParts {
  readonly events: EventBus;
  readonly table: Pick<RegionTable, "view">;
}

/**
 * Where writes pass on their way to the write region. It knows how many are between their decision and their outcome, and holds
 * those that come while the write region moves: bounded in count, bytes and time. A held body is not read.
 */
export class WriteGate {
  readonly #parts: WriteGateParts;
  readonly #held = new Set<(isOver: boolean) => void>();
  #heldBytes = 0;
  #underWay = 0;

  constructor(parts: WriteGateParts) {
    this.#parts = parts;
    parts.events.on("epochChanged", ({ moving }) => {
      if (!moving) for (const go of this.#held) go(true);
    });
  }

  /** Writes that may be executed by a region now. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Writes that wait for the write region to have moved. */
  get held(): number {
    return this.#held.size;
  }

  /** One more write is decided from here on; call what it returns, once or often, when its outcome is known. */
  enter(): () => void {
    this.#underWay += 1;
    let isIn = true;
    return () => {
      if (isIn) this.#underWay -= 1;
      isIn = false;
    };
  }

  /**
   * Resolves to true when writes are taken again, to false when they are not within `waitMs`, or too many wait.
   *
   * @param bodyBytes as the client has announced them; null when it has not
   */
  untilResumed(waitMs: number, bodyBytes: number | null): Promise<boolean> {
    if (!this.#parts.table.view.moving) return Promise.resolve(true);
    const bytes = HEAD_BYTES + Math.min(bodyBytes ?? BUFFERED_BYTES, BUFFERED_BYTES);
    const isFull = this.#held.size >= MOST_HELD || this.#heldBytes + bytes > MOST_HELD_BYTES;
    if (waitMs === 0 || isFull) return Promise.resolve(false);
    this.#heldBytes += bytes;
    return new Promise((resolve) => {
      const go = (isOver: boolean): void => {
        clearTimeout(timer);
        this.#held.delete(go);
        this.#heldBytes -= bytes;
        resolve(isOver);
      };
      const timer = setTimeout(() => go(false), waitMs);
      this.#held.add(go);
    });
  }
}
