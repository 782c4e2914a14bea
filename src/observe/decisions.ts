import type { EventBus, RequestRecord } from "../events.ts";

/** How many requests an edge remembers. */
const CAPACITY = 10_000;

/**
 * The last requests, with all that their decisions were made of. The oldest is forgotten first. A client may send an id
 * twice: the later request is the one found. Every request is added and hardly one is looked up, so there is no index:
 * keeping one took 1 % of an edge's time.
 */
export class DecisionRing {
  readonly #slots: RequestRecord[] = [];
  readonly #capacity: number;
  readonly #close: () => void;
  #next = 0;

  constructor(events: EventBus, capacity = CAPACITY) {
    this.#capacity = capacity;
    const add = (record: RequestRecord) => this.#add(record);
    events.on("requestDone", add);
    this.#close = () => events.off("requestDone", add);
  }

  get(id: string): RequestRecord | null {
    for (const record of this.#latestFirst()) if (record.id === id) return record;
    return null;
  }

  /** Up to `count` requests, the latest first. */
  recent(count: number): readonly RequestRecord[] {
    return [...this.#latestFirst().take(count)];
  }

  close(): void {
    this.#close();
  }

  #add(record: RequestRecord): void {
    this.#slots[this.#next] = record;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  *#latestFirst(): Generator<RequestRecord> {
    for (let back = 1; back <= this.#slots.length; back++) {
      const record = this.#slots[(this.#next - back + this.#capacity) % this.#capacity];
      if (record !== undefined) yield record;
    }
  }
}
