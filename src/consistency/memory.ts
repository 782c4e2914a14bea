import type { Clock } from "../clock.ts";
import type { Pid, PinInspection, PinStore } from "./store.ts";

/** Deadlines of a user's writes, by writeId, in the clock's monotonic milliseconds. */
type Writes = Map<string, number>;

/** How many users each operation looks at for expired pins: more than it can add, so the sweep keeps up. */
const SWEPT_PER_STEP = 2;
/** A user with more writes than this has the one that ends first folded away; see {@link fold}. */
const MAX_WRITES_PER_USER = 64;
const FOLDED = "folded";

/**
 * Pins in this process: the whole store of a lone edge, and the local layer of every edge in front of Redis.
 * What it does is done when the call returns; the promises are only the contract's.
 */
export class MemoryPinStore implements PinStore {
  readonly #clock: Clock;
  readonly #users = new Map<Pid, Writes>();
  #sweep = this.#users.entries();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    const deadline = this.#clock.now() + ttlMs;
    for (const pid of pids) {
      const writes = this.#writesOf(pid);
      writes.set(writeId, Math.max(deadline, writes.get(writeId) ?? deadline));
      if (writes.size > MAX_WRITES_PER_USER) this.#shrink(writes);
      this.#sweepOn();
    }
  }

  async end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    const deadline = this.#clock.now() + ttlMs;
    for (const pid of pids) {
      if (ttlMs > 0) this.#writesOf(pid).set(writeId, deadline);
      else this.#users.get(pid)?.delete(writeId);
      this.#sweepOn();
    }
  }

  async remaining(pids: readonly Pid[]): Promise<number> {
    return this.remainingNow(pids);
  }

  /** {@link remaining} without a promise, for a request that is being decided. */
  remainingNow(pids: readonly Pid[]): number {
    const now = this.#clock.now();
    let last = now;
    for (const pid of pids)
      for (const deadline of this.#users.get(pid)?.values() ?? []) last = Math.max(last, deadline);
    return last - now;
  }

  /** How much longer one write holds one user, in milliseconds; 0 when it does not. */
  remainingOf(pid: Pid, writeId: string): number {
    const now = this.#clock.now();
    return Math.max(now, this.#users.get(pid)?.get(writeId) ?? now) - now;
  }

  /** Every write's hold on a user, over or not. */
  *members(): Iterable<readonly [pid: Pid, writeId: string]> {
    for (const [pid, writes] of this.#users) for (const writeId of writes.keys()) yield [pid, writeId];
  }

  async inspect(pid: Pid): Promise<PinInspection | null> {
    const writes = this.#users.get(pid);
    if (writes === undefined) return null;
    dropExpired(writes, this.#clock.now());
    return writes.size === 0 ? null : { pid, remainingMs: this.remainingNow([pid]), writes: writes.size };
  }

  async release(pid: Pid): Promise<boolean> {
    const pinned = this.remainingNow([pid]) > 0;
    this.#users.delete(pid);
    return pinned;
  }

  async close(): Promise<void> {
    this.#users.clear();
  }

  /** Users in memory, some of whom may be pinned no longer. */
  get held(): number {
    return this.#users.size;
  }

  /** Users pinned now. Sweeps everything, so it is for a gauge and not for a request. */
  count(): number {
    const now = this.#clock.now();
    for (const [pid, writes] of this.#users) this.#dropIfOver(pid, writes, now);
    return this.#users.size;
  }

  #writesOf(pid: Pid): Writes {
    const present = this.#users.get(pid);
    if (present !== undefined) return present;
    const writes: Writes = new Map();
    this.#users.set(pid, writes);
    return writes;
  }

  #shrink(writes: Writes): void {
    dropExpired(writes, this.#clock.now());
    if (writes.size > MAX_WRITES_PER_USER) fold(writes);
  }

  /** One small step of an endless round over all users: no timer per pin, and no pause for a full sweep. */
  #sweepOn(): void {
    const now = this.#clock.now();
    for (let step = 0; step < SWEPT_PER_STEP; step += 1) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = this.#users.entries();
        return;
      }
      this.#dropIfOver(next.value[0], next.value[1], now);
    }
  }

  #dropIfOver(pid: Pid, writes: Writes, now: number): void {
    dropExpired(writes, now);
    if (writes.size === 0) this.#users.delete(pid);
  }
}

function dropExpired(writes: Writes, now: number): void {
  for (const [writeId, deadline] of writes) if (deadline <= now) writes.delete(writeId);
}

/**
 * Forgets whose write ends first, but not when. The pin as a whole stays as long as it was; at worst, when
 * all later writes turn out not to have written, it stays until that one deadline.
 */
function fold(writes: Writes): void {
  let first: [string, number] | null = null;
  for (const entry of writes)
    if (entry[0] !== FOLDED && (first === null || entry[1] < first[1])) first = entry;
  if (first === null) return;
  writes.delete(first[0]);
  writes.set(FOLDED, Math.max(first[1], writes.get(FOLDED) ?? 0));
}
