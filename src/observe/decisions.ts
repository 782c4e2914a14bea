import type { EventBus, RequestRecord } from "../events.ts";

/** How many requests an edge remembers. */
const CAPACITY = 10_000;

/**
 * The last requests, with all that their decisions were made of, by request id. Adding and looking up are O(1);
 * the oldest is forgotten first. A client may send an id twice: the later request is the one found.
 */
export class DecisionRing {
  readonly #slots: RequestRecord[] = [];
  readonly #byId = new Map<string, RequestRecord>();
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
    return this.#byId.get(id) ?? null;
  }

  /** Up to `count` requests, the latest first. */
  recent(count: number): readonly RequestRecord[] {
    const latestFirst: RequestRecord[] = [];
    const wanted = Math.min(count, this.#slots.length);
    for (let back = 1; back <= wanted; back++) {
      const record = this.#slots[(this.#next - back + this.#capacity) % this.#capacity];
      if (record !== undefined) latestFirst.push(record);
    }
    return latestFirst;
  }

  close(): void {
    this.#close();
  }

  #add(record: RequestRecord): void {
    const oldest = this.#slots[this.#next];
    if (oldest !== undefined && this.#byId.get(oldest.id) === oldest) this.#byId.delete(oldest.id);
    this.#slots[this.#next] = record;
    this.#byId.set(record.id, record);
    this.#next = (this.#next + 1) % this.#capacity;
  }
}
