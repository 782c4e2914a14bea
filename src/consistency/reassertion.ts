import type { Clock } from "../clock.ts";
import type { MemoryPinStore } from "./memory.ts";
import { type Pid, type PinStore, POSITIONED } from "./store.ts";

/** Sent together, and awaited before the next: a fraction of a command time-out's work for Redis. */
const CHUNK = 500;

/** One write's hold on one user. */
export type Member = readonly [pid: Pid, writeId: string];

export interface Bounds {
  readonly atMost: number;
  readonly withinMs: number;
}

/**
 * Tells a store that has come back every pin that this process holds. What is sent is what is true at that moment:
 * a write that turned out not to have written is left out, and none is given longer than it has left.
 */
export class Reassertion {
  readonly #local: MemoryPinStore;
  readonly #clock: Clock;
  readonly #members: Member[];
  #next = 0;

  /** Of the users whose pins the store, or the part of it that is back, has. */
  constructor(local: MemoryPinStore, clock: Clock, isThere: (pid: Pid) => boolean = () => true) {
    this.#local = local;
    this.#clock = clock;
    this.#members = [...local.members()].filter(([pid]) => isThere(pid));
  }

  get isDone(): boolean {
    return this.#next === this.#members.length;
  }

  /** One more write, that the store could not be told of meanwhile. */
  add(pids: readonly Pid[], writeId: string): void {
    for (const pid of pids) this.#members.push([pid, writeId]);
  }

  /** Sends one chunk after the other until all is told or a bound is met. Rejects when the store fails. */
  async run(store: PinStore, { atMost, withinMs }: Bounds): Promise<void> {
    const endAtMs = this.#clock.now() + withinMs;
    const endAt = this.#next + atMost;
    while (!this.isDone && this.#next < endAt && this.#clock.now() < endAtMs) await this.step(store);
  }

  /** Sends one chunk. When the store fails it is sent again by the next step. */
  async step(store: PinStore): Promise<void> {
    const chunk = this.#members.slice(this.#next, this.#next + CHUNK);
    await Promise.all(chunk.map((member) => this.#send(store, member)));
    this.#next += chunk.length;
  }

  async #send(store: PinStore, [pid, writeId]: Member): Promise<void> {
    const leftMs = this.#local.remainingOf(pid, writeId);
    if (leftMs <= 0) return;
    if (writeId !== POSITIONED) return store.begin([pid], writeId, leftMs);
    const positions = this.#local.positionsOf(pid);
    await Promise.all(positions.map((position) => store.end([pid], writeId, leftMs, position)));
  }
}
