import type { EventBus } from "../events.ts";
import type { RegionTable } from "../regions/table.ts";

/** Of what was held, so many go on at a time: all at once would have to wait for connections, which is not done for long. */
const MOST_RESUMED = 64;
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
  readonly #held = new Set<(isResumed: boolean) => void>();
  #heldBytes = 0;
  #underWay = 0;
  /** Of what is under way, what was held before. */
  #resumed = 0;

  constructor(parts: WriteGateParts) {
    this.#parts = parts;
    parts.events.on("epochChanged", () => this.#resume());
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
    return once(() => {
      this.#underWay -= 1;
    });
  }

  /**
   * Resolves when writes are taken again, to what {@link enter} returns, for it has entered then; to null when they are not
   * within `waitMs`, or too many wait.
   *
   * @param bodyBytes as the client has announced them; null when it has not
   */
  untilResumed(waitMs: number, bodyBytes: number | null): Promise<(() => void) | null> {
    if (!this.#parts.table.view.moving) return Promise.resolve(this.enter());
    const bytes = HEAD_BYTES + Math.min(bodyBytes ?? BUFFERED_BYTES, BUFFERED_BYTES);
    const isFull = this.#held.size >= MOST_HELD || this.#heldBytes + bytes > MOST_HELD_BYTES;
    if (waitMs <= 0 || isFull) return Promise.resolve(null);
    this.#heldBytes += bytes;
    return new Promise((resolve) => {
      const go = (isResumed: boolean): void => {
        clearTimeout(timer);
        this.#held.delete(go);
        this.#heldBytes -= bytes;
        resolve(isResumed ? this.#reenter() : null);
      };
      const timer = setTimeout(() => go(false), waitMs);
      this.#held.add(go);
    });
  }

  /** In the order in which they came. */
  #resume(): void {
    for (const go of this.#held) {
      if (this.#parts.table.view.moving || this.#resumed >= MOST_RESUMED) return;
      go(true);
    }
  }

  #reenter(): () => void {
    this.#resumed += 1;
    const leave = this.enter();
    return once(() => {
      this.#resumed -= 1;
      leave();
      this.#resume();
    });
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
