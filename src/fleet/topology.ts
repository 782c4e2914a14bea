import type { Position } from "../routing/position.ts";
import { Board } from "./board.ts";
import { type Move, mayBePromoted, SETTLED_AFTER_MS, type Transition } from "./move.ts";
import type { SharedHash } from "./shared-hash.ts";
import { readTopology, writeTopology } from "./topology-fields.ts";

/** Which region takes writes, as all edges of a fleet agree on it. */
export interface Topology {
  /** Raised by every change, so that a change is made to what was seen. 0 while nobody has had the time to object. */
  readonly rev: number;
  /** When, by the shared clock, the shared memory began, or got back what it had lost. */
  readonly bornMs: number;
  /** Raised by every move of the write region; never lowered. */
  readonly epoch: number;
  /** The highest epoch that was ever given to a move, whatever became of it. */
  readonly spent: number;
  /** Null where every writer takes writes. */
  readonly writer: string | null;
  /** At which position each epoch after the first began, oldest first; the newest few. */
  readonly promotions: readonly Position[];
  /** While one is under way reads go on, and writes are not taken. */
  readonly move: Move | null;
  /** After a move that nobody has asked for: until when, by the shared clock, there is no other. */
  readonly holdDown: HoldDown | null;
}

export interface HoldDown {
  readonly untilMs: number;
  readonly lengthMs: number;
}

/** Older ones matter to no pin that is alive. */
const PROMOTIONS_KEPT = 8;
/** Changes by others may come in between; more than these many in a row do not. */
const CHANGE_ATTEMPTS = 5;
/** A hold-down grows to so many times the first: 5 minutes become 80. */
const MAX_HOLD_DOWNS = 16;
/** How long writes wait for a move that may have ended while the shared memory is away. */
const HELD_ALONE_MS = 30_000;

/** The next epoch: where it is written, and the position at which it begins. */
export interface Promotion {
  readonly from: number;
  readonly to: number;
  readonly writer: string;
  /** Null when it is not known: the application was in that epoch before anybody here knew. */
  readonly at: string | null;
}

export function firstTopology(writer: string | null): Topology {
  return {
    rev: 0,
    bornMs: 0,
    epoch: 1,
    spent: 1,
    writer,
    promotions: [],
    move: null,
    holdDown: null,
  };
}

/** Whether writes are taken. */
export function modeOf({ move }: Topology): "rw" | "ro" {
  return move === null ? "rw" : "ro";
}

/** Begins the next epoch, and ends the move that led to it, unless somebody else has begun one. */
export function promoted({ from, to, writer, at }: Promotion): Transition {
  return (topology) => {
    if (topology.epoch !== from || to <= from) return null;
    const { promotions, spent } = topology;
    const kept = at === null ? promotions : [...promotions, { epoch: to, at }].slice(-PROMOTIONS_KEPT);
    return { ...topology, epoch: to, spent: Math.max(spent, to), writer, promotions: kept, move: null };
  };
}

/**
 * Flap damping: after a move that nobody asked for there is none for a while, and for twice as long when the last was not long
 * before.
 */
export function heldDown(topology: Topology, firstMs: number, nowMs: number): Topology {
  const { holdDown } = topology;
  const isRecent = holdDown !== null && nowMs < holdDown.untilMs + holdDown.lengthMs;
  const lengthMs = isRecent ? Math.min(holdDown.lengthMs * 2, firstMs * MAX_HOLD_DOWNS) : firstMs;
  return { ...topology, holdDown: { lengthMs, untilMs: nowMs + lengthMs } };
}

/** The topology that all edges share: fields of the shared hash, changed together and only as they were seen. */
export class TopologyStore {
  readonly #hash: SharedHash;
  readonly #board: Board<Topology>;
  readonly #heldAloneMs: number;
  #written: string | null;
  #alone: NodeJS.Timeout | undefined;
  #isMending = false;

  /** `first` is what the file says. */
  constructor(hash: SharedHash, first: Topology, heldAloneMs = HELD_ALONE_MS) {
    this.#hash = hash;
    this.#board = new Board(first);
    this.#written = first.writer;
    this.#heldAloneMs = heldAloneMs;
    // Before anything else that listens: what is told of the hash is judged by the topology that it has.
    hash.onHeard(() => this.#follow());
  }

  /** The last that is known. */
  get(): Topology {
    return this.#board.get();
  }

  /** Calls back after every change, until the function it returns is called. */
  onChange(listener: (topology: Topology) => void): () => void {
    return this.#board.onChange(listener);
  }

  /** See `SharedHash.refresh`. */
  refresh(): Promise<boolean> {
    return this.#hash.refresh();
  }

  /**
   * Makes a change to the topology as it is then. Resolves to whether it was made: false when the transition refuses. Rejects
   * with `SharedAway` when that is not known.
   */
  async change(transition: Transition): Promise<boolean> {
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
      const seen = this.get();
      const next = transition(seen, this.#hash.nowMs());
      if (next === null) return false;
      if (await this.#store(seen.rev, { ...next, rev: seen.rev + 1 })) return true;
      await this.#hash.refresh();
    }
    return false;
  }

  /** Begins the next epoch, unless somebody else has. As {@link change}. */
  promote(promotion: Promotion): Promise<boolean> {
    return this.change(promoted(promotion));
  }

  /**
   * What the file says after a reload. A lone edge follows it, as its operator's last word; a fleet does not. A file that
   * says what it said is no new word: a move since then stands.
   */
  fileSays(writer: string | null): void {
    if (writer === this.#written) return;
    this.#written = writer;
    if (!this.#hash.isShared) void this.change((topology) => ({ ...topology, writer }));
  }

  close(): void {
    clearTimeout(this.#alone);
  }

  async #store(rev: number, next: Topology): Promise<boolean> {
    const stored = await this.#hash.setIf("rev", this.#revText(rev), writeTopology(next));
    this.#follow();
    return stored;
  }

  /** The hash may have nothing of us yet, and then says so. */
  #revText(rev: number): string {
    return this.#hash.get().get("rev") === undefined && rev === 0 ? "" : String(rev);
  }

  #follow(): void {
    const known = this.get();
    const stored = readTopology(this.#hash.get());
    if (stored === null || isOlder(stored, known)) void this.#mend(stored, known);
    else {
      this.#show({ ...stored, spent: Math.max(stored.spent, known.spent) });
      void this.#settle(this.get());
    }
  }

  #show(topology: Topology): void {
    if (!same(topology, this.get())) this.#board.replace(topology);
    clearTimeout(this.#alone);
    if (topology.move === null || !this.#hash.isShared) return;
    if (mayBePromoted(topology.move)) return;
    // Nobody could go on to the hook without having heard of this edge after that long.
    this.#alone = setTimeout(() => this.#board.replace({ ...topology, move: null }), this.#heldAloneMs);
    this.#alone.unref();
  }

  /** The memory has nothing, or less than is known here: it is new, or has lost what it had. */
  async #mend(stored: Topology | null, known: Topology): Promise<void> {
    if (this.#isMending) return;
    this.#isMending = true;
    const rev = this.#hash.get().get("rev") ?? "";
    const bornMs = this.#hash.isShared ? this.#hash.nowMs() : 0;
    const whole = { ...known, rev: Math.max(known.rev, stored === null ? 0 : stored.rev + 1), bornMs };
    await this.#hash.setIf("rev", rev, writeTopology(whole)).catch(() => false);
    this.#isMending = false;
  }

  /** What a file has said first stands when nobody has objected; and gets a writer where there was none. */
  async #settle(topology: Topology): Promise<void> {
    if (this.#isMending) return;
    const names = topology.writer === null && this.#written !== null;
    const isYoung = topology.rev === 0 && this.#hash.nowMs() >= topology.bornMs + SETTLED_AFTER_MS;
    if (!names && !isYoung) return;
    this.#isMending = true;
    const writer = topology.writer ?? this.#written;
    const next = { ...topology, writer, rev: topology.rev + 1 };
    await this.#hash.setIf("rev", String(topology.rev), writeTopology(next)).catch(() => false);
    this.#isMending = false;
  }
}

/** Of two memories of one fleet, the one that has seen less. */
function isOlder(one: Topology, other: Topology): boolean {
  return one.epoch === other.epoch ? one.rev < other.rev : one.epoch < other.epoch;
}

function same(one: Topology, other: Topology): boolean {
  return JSON.stringify(writeTopology(one)) === JSON.stringify(writeTopology(other));
}
