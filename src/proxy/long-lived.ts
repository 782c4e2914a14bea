import type { Clock } from "../clock.ts";

/** Over how long at least the connections to a region are closed, so that their clients do not come back all at once. */
const SPREAD_MS = 5_000;
/** More of them take longer: at most this many come back in a second. */
const CLOSED_PER_SECOND = 200;

/** A tunnel, or an event stream: nothing ends it by itself. */
export interface LongLivedConnection {
  readonly region: string;
  /** Ends it as its protocol does. Called again it does nothing. */
  close(): void;
}

export interface LongLivedParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  /** Whether an operator wants nobody in a region any more. */
  readonly isClosed: (region: string) => boolean;
}

/** The connections of one kind that are open, and their end when they have to go: with jitter, never all at once. */
export class LongLived {
  readonly #parts: LongLivedParts;
  readonly #open = new Set<LongLivedConnection>();
  /** When the last has to be told to go; null while they may stay. */
  #goneByMs: number | null = null;

  constructor(parts: LongLivedParts) {
    this.#parts = parts;
  }

  /** How many are open, by region. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { region } of this.#open) counts.set(region, (counts.get(region) ?? 0) + 1);
    return counts;
  }

  /** One has begun; call what is returned when it has ended. One that comes too late is sent away again. */
  add(connection: LongLivedConnection): () => void {
    this.#open.add(connection);
    if (this.#goneByMs !== null) this.#closeWithin(connection, this.#goneByMs - this.#parts.clock.now());
    else if (this.#parts.isClosed(connection.region)) this.#closeIfClosed(connection, SPREAD_MS);
    return () => this.#open.delete(connection);
  }

  /** Closes what goes to a region that is closed; whatever is still there when it is opened again stays. */
  closeRegion(region: string): void {
    const there = [...this.#open].filter((connection) => connection.region === region);
    const withinMs = Math.max(SPREAD_MS, (there.length / CLOSED_PER_SECOND) * 1_000);
    for (const connection of there) this.#closeIfClosed(connection, withinMs);
  }

  /** Closes all, those that are yet to come included: this edge stops. */
  closeAll(withinMs: number): void {
    this.#goneByMs = this.#parts.clock.now() + withinMs;
    for (const connection of this.#open) this.#closeWithin(connection, withinMs);
  }

  #closeIfClosed(connection: LongLivedConnection, withinMs: number): void {
    this.#closeWithin(connection, withinMs, () => this.#parts.isClosed(connection.region));
  }

  #closeWithin(connection: LongLivedConnection, withinMs: number, stillHasTo = () => true): void {
    const close = () => this.#open.has(connection) && stillHasTo() && connection.close();
    setTimeout(close, this.#parts.chance() * Math.max(0, withinMs)).unref();
  }
}
