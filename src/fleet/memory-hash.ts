import { type Clock, systemClock } from "../clock.ts";
import { Board } from "./board.ts";
import type { Changes, Fields, Said, SharedHash } from "./shared-hash.ts";

/** What a lone edge agrees on with itself; a restart forgets it. */
export class MemoryHash implements SharedHash {
  readonly isShared = false;
  readonly selfKey: string;
  readonly #clock: Clock;
  /** What the wall clock was ahead of the monotonic one at the start; it may be set at any time. */
  readonly #aheadMs: number;
  readonly #board = new Board<Fields>(new Map());
  readonly #heard = new Set<() => void>();
  readonly #lists = new Map<string, readonly string[]>();
  #make: () => string = () => "";

  constructor(edgeId = "edge", clock: Clock = systemClock) {
    this.selfKey = `${edgeId}:lone`;
    this.#clock = clock;
    this.#aheadMs = clock.wall() - clock.now();
  }

  get(): Fields {
    return this.#board.get();
  }

  edges(): ReadonlyMap<string, Said> {
    return new Map([[this.selfKey, { atMs: this.nowMs(), text: this.#make() }]]);
  }

  nowMs(): number {
    return this.#clock.now() + this.#aheadMs;
  }

  heardMsAgo(): number {
    return 0;
  }

  onChange(listener: (fields: Fields) => void): () => void {
    return this.#board.onChange(listener);
  }

  onHeard(listener: () => void): () => void {
    this.#heard.add(listener);
    return () => this.#heard.delete(listener);
  }

  say(make: () => string): void {
    this.#make = make;
  }

  async refresh(): Promise<boolean> {
    for (const listener of this.#heard) listener();
    return true;
  }

  async set(changes: Changes): Promise<void> {
    this.#board.replace(new Map([...this.get(), ...Object.entries(changes)]));
    await this.refresh();
  }

  async setIf(guard: string, expected: string, changes: Changes): Promise<boolean> {
    if ((this.get().get(guard) ?? "") !== expected) return false;
    await this.set(changes);
    return true;
  }

  async push(list: string, text: string, most: number): Promise<void> {
    this.#lists.set(list, [text, ...(await this.list(list))].slice(0, most));
  }

  async list(name: string): Promise<readonly string[]> {
    return this.#lists.get(name) ?? [];
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {}
}
