import type { EventBus, RequestRecord } from "../events.ts";
import { KeptRecord } from "./kept-record.ts";

/** How many requests an edge remembers. */
const CAPACITY = 10_000;

/**
 * The last requests, with all that their decisions were made of. The oldest is forgotten first. A client may send an id
 * twice: the later request is the one found. Every request is added and hardly one is looked up, so there is no index:
 * keeping one took 1 % of an edge's time.
 */
export class DecisionRing {
  readonly #slots: KeptRecord[] = [];
  readonly #numbers: Float64Array;
  readonly #capacity: number;
  readonly #close: () => void;
  #next = 0;

  constructor(events: EventBus, capacity = CAPACITY) {
    this.#capacity = capacity;
    this.#numbers = KeptRecord.numbersOf(capacity);
    const add = (record: RequestRecord) => this.#add(record);
    events.on("requestDone", add);
    this.#close = () => events.off("requestDone", add);
  }

  get(id: string): RequestRecord | null {
    return this.#latestFirst().find((kept) => kept.id === id)?.record ?? null;
  }

  /** Up to `count` requests, the latest first. */
  recent(count: number): readonly RequestRecord[] {
    return [...this.#latestFirst().take(count)].map(({ record }) => record);
  }

  close(): void {
    this.#close();
  }

  #add(record: RequestRecord): void {
    const slot = this.#slots[this.#next] ?? new KeptRecord(this.#numbers, this.#next);
    slot.keep(record);
    this.#slots[this.#next] = slot;
    this.#next = (this.#next + 1) % this.#capacity;
  }

  *#latestFirst(): Generator<KeptRecord> {
    for (let back = 1; back <= this.#slots.length; back++) {
      const kept = this.#slots[(this.#next - back + this.#capacity) % this.#capacity];
      if (kept !== undefined) yield kept;
    }
  }
}
