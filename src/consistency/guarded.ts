import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { redisCause } from "../redis.ts";
import type { Position } from "../routing/position.ts";
import type { BirthMark } from "./birth-mark.ts";
import { Breaker, StoreAway } from "./breaker.ts";
import type { RedisPinStore } from "./redis.ts";
import type { Held, Pid, PinInspection, PinStore, Welcome } from "./store.ts";

/** Why a store is not believed that answers, and has forgotten. */
export const AMNESIA = "amnesia";

const PROBE_PIN_MS = 1;
const READY_POLL_MS = 10;
/** How long a Redis that was emptied without a word may go unnoticed by an edge that asks it nothing. */
const MEMORY_CHECK_MS = 1_000;

/** What the guard needs of the shared store, besides its pins. */
export interface Guarded {
  readonly store: RedisPinStore;
  readonly mark: BirthMark;
  /** Nobody's pid, by which it is tried whether the store takes pins. */
  readonly probePid: Pid;
  readonly clock: Clock;
  readonly events: EventBus;
}

/** The pins of a fleet, as an edge holds them: behind a breaker, or several. */
export interface FleetPinStore extends PinStore {
  /** Whether all of it answers. */
  readonly isUp: boolean;
  /** Waits for the first contact, but no longer than `timeoutMs`. Resolves to {@link isUp}. */
  ready(timeoutMs: number): Promise<boolean>;
}

export async function isUpWithin(store: { readonly isUp: boolean }, timeoutMs: number): Promise<boolean> {
  for (let waitedMs = 0; !store.isUp && waitedMs < timeoutMs; waitedMs += READY_POLL_MS)
    await sleep(READY_POLL_MS);
  return store.isUp;
}

/**
 * The shared store behind its circuit breaker: every call is answered within one command time-out. Before it counts
 * as up, whoever listens has had the chance to tell it what it may have missed. Every second it is asked whether it
 * is still the one it was, which also tells an edge without traffic that it is away.
 */
export class GuardedPinStore implements FleetPinStore {
  /** Tripped and probed by whoever knows of the connection. */
  readonly breaker: Breaker;
  readonly #store: RedisPinStore;
  readonly #mark: Guarded["mark"];
  readonly #probePid: Pid;
  readonly #memoryCheck: NodeJS.Timeout;
  #welcome: Welcome | null = null;

  constructor({ store, mark, probePid, clock, events }: Guarded) {
    this.#store = store;
    this.#mark = mark;
    this.#probePid = probePid;
    this.breaker = new Breaker((afterFailure) => this.#arrive(afterFailure), { clock, events });
    this.#memoryCheck = setInterval(() => void this.#checkMemory(), MEMORY_CHECK_MS).unref();
  }

  get isUp(): boolean {
    return !this.breaker.isOpen;
  }

  ready(timeoutMs: number): Promise<boolean> {
    return isUpWithin(this, timeoutMs);
  }

  /** There is reason to doubt that it is still there, or that it is still the one it was. */
  async doubt(): Promise<void> {
    if (!this.isUp) return;
    try {
      if (await this.#mark.isConfirmed()) return;
      this.breaker.trip(AMNESIA);
    } catch (error) {
      this.breaker.trip(redisCause(error));
    }
    await this.breaker.probe();
  }

  begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    return this.breaker.run(() => this.#store.begin(pids, writeId, ttlMs));
  }

  end(pids: readonly Pid[], writeId: string, ttlMs: number, position?: Position | null): Promise<void> {
    return this.breaker.run(() => this.#store.end(pids, writeId, ttlMs, position));
  }

  async remaining(pids: readonly Pid[]): Promise<number> {
    return Math.max(0, ...(await this.remainingOfEach(pids)));
  }

  async remainingOfEach(pids: readonly Pid[]): Promise<readonly number[]> {
    const { key, seen } = this.#mark;
    const { left, mark } = await this.breaker.run(() => this.#store.remainingUnder(key, pids));
    return mark === seen ? left : this.#hasForgotten();
  }

  held(pids: readonly Pid[]): Promise<Held | null> {
    return this.#withMemory(() => this.#store.held(pids));
  }

  inspect(pid: Pid): Promise<PinInspection | null> {
    return this.breaker.run(() => this.#store.inspect(pid));
  }

  release(pid: Pid): Promise<boolean> {
    return this.breaker.run(() => this.#store.release(pid));
  }

  onReturn(welcome: Welcome): void {
    this.#welcome = welcome;
  }

  async close(): Promise<void> {
    clearInterval(this.#memoryCheck);
    this.breaker.close();
    await this.#store.close();
  }

  /** The probe is a pin and not a PING: a Redis that is full or read-only answers PING, yet takes none. */
  async #arrive(afterOutage: boolean): Promise<string | null> {
    const probe = this.#store.begin([this.#probePid], "probe", PROBE_PIN_MS);
    const [memoryMs] = await Promise.all([this.#mark.look(), probe]);
    return this.#welcome === null ? null : this.#welcome({ memoryMs, afterOutage }, this.#store);
  }

  /** Asked behind it, on the same connection, whether it still has its memory: else "none" would mean nothing. */
  async #withMemory<T>(ask: () => Promise<T>): Promise<T> {
    const [answer, isSame] = await this.breaker.run(() => Promise.all([ask(), this.#mark.isSame()]));
    return isSame ? answer : this.#hasForgotten();
  }

  #hasForgotten(): never {
    void this.#forgotten();
    throw new StoreAway("the pin store has lost its memory");
  }

  async #checkMemory(): Promise<void> {
    if (!this.isUp) return;
    // Of the run too: a primary that is replaced while it lives takes the mark along, but not the last pins.
    const isSame = await this.breaker.run(() => this.#mark.isConfirmed()).catch(() => true);
    if (!isSame) await this.#forgotten();
  }

  async #forgotten(): Promise<void> {
    if (!this.isUp) return;
    this.breaker.trip(AMNESIA);
    await this.breaker.probe();
  }
}
