import type { Clock } from "../clock.ts";
import { BY_WRITER, type Hold, newestOfEach } from "../routing/hold.ts";
import type { Position } from "../routing/position.ts";
import {
  EPOCHS_KEPT,
  foldedOf,
  type Held,
  holdOf,
  isIn,
  isPlain,
  isShared,
  MAX_WRITES_PER_USER,
  type Pid,
  type PinInspection,
  type PinStore,
  POSITIONED,
} from "./store.ts";

/** Deadlines of a user's writes, by writeId, in the clock's monotonic milliseconds. */
type Deadlines = Map<string, number>;

interface User {
  readonly writes: Deadlines;
  /** Where the positioned ones stand. */
  positions: readonly Position[];
  /** Since when this user has been pinned without a pause, in monotonic milliseconds. */
  sinceMs: number;
  /** Writes since then. */
  begun: number;
  /** Whether it was told that this takes long. */
  isTold: boolean;
}

/** A user who has been pinned for long, without a pause. */
export interface PinStorm {
  readonly pinnedForMs: number;
  /** Writes in that time, through this edge. */
  readonly writes: number;
}

/** How many users each operation looks at for expired pins: more than it can add, so the sweep keeps up. */
const SWEPT_PER_STEP = 2;

/**
 * Pins in this process: the whole store of a lone edge, and the local layer of every edge in front of Redis.
 * What it does is done when the call returns; the promises are only the contract's.
 */
export class MemoryPinStore implements PinStore {
  readonly #clock: Clock;
  readonly #users = new Map<Pid, User>();
  #sweep = this.#users.entries();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    const deadline = this.#clock.now() + ttlMs;
    for (const pid of pids) {
      const user = this.#pinnedUser(pid);
      const { writes } = user;
      user.begun += writes.has(writeId) ? 0 : 1;
      writes.set(writeId, Math.max(deadline, writes.get(writeId) ?? deadline));
      if (writes.size > MAX_WRITES_PER_USER) this.#shrink(writes);
      this.#sweepOn();
    }
  }

  async end(
    pids: readonly Pid[],
    writeId: string,
    ttlMs: number,
    position: Position | null = null,
  ): Promise<void> {
    const deadline = this.#clock.now() + ttlMs;
    for (const pid of pids) {
      if (ttlMs <= 0) this.#users.get(pid)?.writes.delete(writeId);
      else if (position === null) this.#pinnedUser(pid).writes.set(writeId, deadline);
      else this.#place(this.#pinnedUser(pid), writeId, deadline, position);
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
      for (const deadline of this.#users.get(pid)?.writes.values() ?? []) last = Math.max(last, deadline);
    return last - now;
  }

  async held(pids: readonly Pid[]): Promise<Held | null> {
    const hold = this.holdNow(pids);
    return hold && { remainingMs: this.remainingNow(pids), hold };
  }

  /** What holds these users, without a promise; null when nothing does. */
  holdNow(pids: readonly Pid[]): Hold | null {
    const now = this.#clock.now();
    const told = this.#toldNow(pids, now);
    if (told === "nothing") return null;
    return told === "held" ? BY_WRITER : this.#holdAt(pids, now);
  }

  /** How much there is to know of what holds these users: nothing, that they are held, or more than that. */
  #toldNow(pids: readonly Pid[], now: number): "nothing" | "held" | "more" {
    let told: "nothing" | "held" = "nothing";
    for (const pid of pids)
      for (const [member, deadline] of this.#users.get(pid)?.writes ?? []) {
        if (deadline <= now) continue;
        if (!isPlain(member)) return "more";
        told = "held";
      }
    return told;
  }

  #holdAt(pids: readonly Pid[], now: number): Hold {
    const live: (readonly [writeId: string, deadline: number])[] = [];
    const positions: Position[] = [];
    for (const pid of pids) {
      const user = this.#users.get(pid);
      if (user === undefined) continue;
      for (const write of user.writes) if (write[1] > now) live.push(write);
      if ((user.writes.get(POSITIONED) ?? now) > now) positions.push(...user.positions);
    }
    const latestFirst = live.sort(([, one], [, other]) => other - one);
    return holdOf(
      latestFirst.map(([writeId]) => writeId),
      positions,
    );
  }

  /** How much longer one write holds one user, in milliseconds; 0 when it does not. */
  remainingOf(pid: Pid, writeId: string): number {
    const now = this.#clock.now();
    return Math.max(now, this.#users.get(pid)?.writes.get(writeId) ?? now) - now;
  }

  /** Where this user's positioned writes stand. */
  positionsOf(pid: Pid): readonly Position[] {
    return this.#users.get(pid)?.positions ?? [];
  }

  /** A user who has been pinned without a pause for longer than this; null when not, or when it was told already. */
  newStorm(pid: Pid, afterMs: number): PinStorm | null {
    const user = this.#users.get(pid);
    if (user === undefined || user.isTold) return null;
    const pinnedForMs = this.#clock.now() - user.sinceMs;
    user.isTold = pinnedForMs > afterMs;
    return user.isTold ? { pinnedForMs, writes: user.begun } : null;
  }

  /** Users who have been pinned without a pause for longer than this. Looks at all of them, for a gauge. */
  countStorms(afterMs: number): number {
    this.count();
    const before = this.#clock.now() - afterMs;
    return [...this.#users.values()].filter(({ sinceMs }) => sinceMs < before).length;
  }

  /** Every write's hold on a user, over or not. */
  *members(): Iterable<readonly [pid: Pid, writeId: string]> {
    for (const [pid, { writes }] of this.#users) for (const writeId of writes.keys()) yield [pid, writeId];
  }

  async inspect(pid: Pid): Promise<PinInspection | null> {
    const user = this.#users.get(pid);
    if (user === undefined) return null;
    dropExpired(user.writes, this.#clock.now());
    const writes = user.writes.size;
    return writes === 0 ? null : { pid, remainingMs: this.remainingNow([pid]), writes };
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
  get size(): number {
    return this.#users.size;
  }

  /** Users pinned now. Sweeps everything, so it is for a gauge and not for a request. */
  count(): number {
    const now = this.#clock.now();
    for (const [pid, user] of this.#users) this.#dropIfOver(pid, user, now);
    return this.#users.size;
  }

  /** Users pinned now by a write that this region took; it costs as much as {@link count}. */
  countIn(region: string): number {
    this.count();
    const wroteThere = ({ writes }: User) => [...writes.keys()].some((member) => isIn(member, region));
    return [...this.#users.values()].filter(wroteThere).length;
  }

  /** The user, whose pause ends now if it had one. */
  #pinnedUser(pid: Pid): User {
    const now = this.#clock.now();
    const present = this.#users.get(pid);
    if (present !== undefined) {
      if (this.remainingNow([pid]) === 0) Object.assign(present, { sinceMs: now, begun: 0, isTold: false });
      return present;
    }
    const user: User = { writes: new Map(), positions: [], sinceMs: now, begun: 0, isTold: false };
    this.#users.set(pid, user);
    return user;
  }

  #place(user: User, writeId: string, deadline: number, position: Position): void {
    const { writes } = user;
    const before = writes.get(POSITIONED) ?? 0;
    const known = before > this.#clock.now() ? user.positions : [];
    user.positions = newestOfEach([...known, position]).slice(-EPOCHS_KEPT);
    writes.delete(writeId);
    writes.set(POSITIONED, Math.max(deadline, before));
  }

  #shrink(writes: Deadlines): void {
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

  #dropIfOver(pid: Pid, { writes }: User, now: number): void {
    dropExpired(writes, now);
    if (writes.size === 0) this.#users.delete(pid);
  }
}

function dropExpired(writes: Deadlines, now: number): void {
  for (const [writeId, deadline] of writes) if (deadline <= now) writes.delete(writeId);
}

/**
 * Forgets whose write ends first, but not when. The pin as a whole stays as long as it was; at worst, when
 * all later writes turn out not to have written, it stays until that one deadline.
 */
function fold(writes: Deadlines): void {
  let first: readonly [string, number] | null = null;
  for (const entry of writes) {
    if (!isShared(entry[0]) && (first === null || entry[1] < first[1])) first = entry;
  }
  if (first === null) return;
  const [writeId, deadline] = first;
  writes.delete(writeId);
  writes.set(foldedOf(writeId), Math.max(deadline, writes.get(foldedOf(writeId)) ?? 0));
}
