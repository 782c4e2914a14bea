import type { Position } from "../routing/position.ts";
import { Board } from "./board.ts";

/** Which region takes writes, as all edges of a fleet agree on it. */
export interface Topology {
  /** Raised by every move of the write region; never lowered. */
  readonly epoch: number;
  /** Null where every writer takes writes. */
  readonly writer: string | null;
  /** `ro` while the write region moves: reads go on, writes are not taken. */
  readonly mode: "rw" | "ro";
  /** At which position each epoch after the first began, oldest first; the newest few. */
  readonly promotions: readonly Position[];
}

/** Older ones matter to no pin that is alive. */
export const PROMOTIONS_KEPT = 8;

/** A move of the write region: from which epoch, to which, and the position at which the new one begins. */
export interface Promotion {
  readonly from: number;
  readonly to: number;
  readonly writer: string;
  /** Null when it is not known: the application was in that epoch before anybody here knew. */
  readonly at: string | null;
  /** Only if this edge holds writes, and for long enough that all who hold them back hear of it. */
  readonly whileHeld?: boolean;
}

/** Where the topology lives: in this process, or shared by all edges of a fleet. */
export interface TopologyStore {
  /** The last that is known. */
  get(): Topology;
  /** Calls back after every change, until the function it returns is called. */
  onChange(listener: (topology: Topology) => void): () => void;
  /**
   * Asks the store. Resolves when an answer to a question that was put after this call has been followed; to false when
   * there was none. Calls that meet are one question.
   */
  refresh(): Promise<boolean>;
  /**
   * Takes no writes for at most `forMs`, unless the epoch is another by now or somebody holds them already. Resolves to
   * whether it holds them; rejects with {@link TopologyAway}.
   */
  hold(epoch: number, forMs: number): Promise<boolean>;
  /** Takes writes again in the same epoch, if it was this edge that held them. As {@link hold}. */
  resume(epoch: number): Promise<boolean>;
  /** Begins the next epoch, unless somebody else has, or holds writes to do so. As {@link hold}. */
  promote(promotion: Promotion): Promise<boolean>;
  /** What the file says after a reload. A lone edge follows it, as its operator's last word; a fleet does not. */
  fileSays(writer: string | null): void;
  /** Reads what is stored and goes on following it. Resolves even when the store does not answer. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** The change was not stored, so no edge follows it. */
export class TopologyAway extends Error {
  override name = "TopologyAway";
}

/** The present topology and who wants to hear of the next. */
export class TopologyBoard extends Board<Topology> {
  /** An older epoch than the present one is no news: whoever says it has lost its memory. */
  override replace(topology: Topology): void {
    const before = this.get();
    if (topology.epoch >= before.epoch && !same(topology, before)) super.replace(topology);
  }
}

export function firstTopology(writer: string | null): Topology {
  return { epoch: 1, writer, mode: "rw", promotions: [] };
}

/** The topology after this promotion. */
export function promoted({ promotions }: Topology, { to, writer, at }: Promotion): Topology {
  const kept = at === null ? promotions : [...promotions, { epoch: to, at }].slice(-PROMOTIONS_KEPT);
  return { epoch: to, writer, mode: "rw", promotions: kept };
}

/** The topology of a lone edge; a restart forgets it. */
export class MemoryTopologyStore implements TopologyStore {
  readonly #board: TopologyBoard;
  #release: NodeJS.Timeout | undefined;
  #written: string | null;

  constructor(first: Topology) {
    this.#board = new TopologyBoard(first);
    this.#written = first.writer;
  }

  get(): Topology {
    return this.#board.get();
  }

  onChange(listener: (topology: Topology) => void): () => void {
    return this.#board.onChange(listener);
  }

  async refresh(): Promise<boolean> {
    return true;
  }

  async hold(epoch: number, forMs: number): Promise<boolean> {
    if (this.get().mode === "ro" || !this.#set(epoch, { ...this.get(), mode: "ro" })) return false;
    this.#release = setTimeout(() => void this.resume(epoch), forMs).unref();
    return true;
  }

  async resume(epoch: number): Promise<boolean> {
    return this.#set(epoch, { ...this.get(), mode: "rw" });
  }

  async promote(promotion: Promotion): Promise<boolean> {
    if (promotion.whileHeld && this.get().mode === "rw") return false;
    return this.#set(promotion.from, promoted(this.get(), promotion));
  }

  /** A file that says what it said is no new word: a move since then stands. */
  fileSays(writer: string | null): void {
    if (writer === this.#written) return;
    this.#written = writer;
    this.#board.replace({ ...this.get(), writer });
  }

  async start(): Promise<void> {}

  async close(): Promise<void> {
    clearTimeout(this.#release);
  }

  #set(epoch: number, next: Topology): boolean {
    if (this.get().epoch !== epoch) return false;
    clearTimeout(this.#release);
    this.#board.replace(next);
    return true;
  }
}

function same(one: Topology, other: Topology): boolean {
  const text = ({ promotions }: Topology) => promotions.map(({ epoch, at }) => `${epoch}:${at}`).join();
  return (
    one.epoch === other.epoch &&
    one.writer === other.writer &&
    one.mode === other.mode &&
    text(one) === text(other)
  );
}
