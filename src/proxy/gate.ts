import { Bag, type Bagged, NOWHERE } from "../bag.ts";

/** What a request asks of a gate. */
export interface Wish {
  /** How many may be inside. A reload may change it; what the last to come knew counts. */
  readonly limit: number;
  readonly waitMs: number;
  /** How many may wait. */
  readonly mostWaiting: number;
  /** Its body has not arrived: it could hold its place for as long as its client likes. */
  readonly arriving: boolean;
  /** Calls its listener when the request leaves before it is let in; returns how to stop listening. */
  readonly leaving: (listener: () => void) => () => void;
}

/** Which share of the places is for requests whose bodies have not arrived, so that slow ones leave room for others. */
const ARRIVING_SHARE = 0.5;

/** A client that has not read for so long what waits for it is cut when others wait for the place. */
const STALLED_MS = 5_000;

/** One place inside. */
export class Place implements Bagged {
  bagIndex = NOWHERE;
  readonly #gate: Gate;
  /** Whether it is one of those for bodies that have not arrived. */
  arriving: boolean;
  /** Since when its client has not read; null while it does. */
  stalledAtMs: number | null = null;
  cut: () => void = nothing;

  constructor(gate: Gate, arriving: boolean) {
    this.#gate = gate;
    this.arriving = arriving;
  }

  /** To be called exactly once. */
  leave(): void {
    this.#gate.left(this);
  }

  /** The body is here. */
  arrived(): void {
    this.#gate.arrived(this);
  }

  /** The client does not read; `cut` ends it if others need its place. */
  stalled(nowMs: number, cut: () => void): void {
    this.stalledAtMs = nowMs;
    this.cut = cut;
  }

  /** The client reads on. */
  moving(): void {
    this.stalledAtMs = null;
  }
}

/** One who waits. */
interface Waiter {
  /** Rises with each who comes. */
  readonly number: number;
  readonly arriving: boolean;
  readonly admit: (place: Place | null) => void;
}

/** Lets so many in at a time, and the others wait in the order in which they came. */
export class Gate {
  readonly #inside = new Bag<Place>();
  /** Two queues, so that those who may not enter yet hold up nobody who may. */
  readonly #ready = new Set<Waiter>();
  readonly #arriving = new Set<Waiter>();
  readonly #now: () => number;
  #arrivingInside = 0;
  #limit = 0;
  #lastNumber = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get inside(): number {
    return this.#inside.size;
  }

  get waiting(): number {
    return this.#ready.size + this.#arriving.size;
  }

  /**
   * A place, at once if there is one. Null when `waitMs` have passed, or the request has left, before there was one, or
   * when too many wait already.
   */
  enter(wish: Wish): Place | null | Promise<Place | null> {
    this.#limit = wish.limit;
    this.#admitWaiting();
    if (this.#fits(wish.arriving)) return this.#place(wish.arriving);
    this.#cutStalled();
    if (this.#fits(wish.arriving)) return this.#place(wish.arriving);
    if (this.waiting >= wish.mostWaiting) return null;
    return this.#wait(wish);
  }

  left(place: Place): void {
    this.#inside.delete(place);
    // Its body may go on to come, when the answer does not wait for it.
    if (place.arriving) this.#arrivingInside -= 1;
    place.arriving = false;
    this.#admitWaiting();
  }

  arrived(place: Place): void {
    if (!place.arriving) return;
    place.arriving = false;
    this.#arrivingInside -= 1;
    this.#admitWaiting();
  }

  #wait({ arriving, waitMs, leaving }: Wish): Promise<Place | null> {
    const queue = arriving ? this.#arriving : this.#ready;
    return new Promise((resolve) => {
      const admit = (place: Place | null): void => {
        queue.delete(waiter);
        clearTimeout(timer);
        stopListening();
        resolve(place);
      };
      this.#lastNumber += 1;
      const waiter: Waiter = { number: this.#lastNumber, arriving, admit };
      const timer = setTimeout(admit, waitMs, null);
      const stopListening = leaving(() => admit(null));
      queue.add(waiter);
    });
  }

  #admitWaiting(): void {
    if (this.waiting === 0) return;
    for (let next = this.#next(); next !== null; next = this.#next()) next.admit(this.#place(next.arriving));
  }

  /** Who came first of those who may enter. */
  #next(): Waiter | null {
    if (!this.#fits(false)) return null;
    const ready = firstOf(this.#ready);
    const arriving = this.#fits(true) ? firstOf(this.#arriving) : null;
    if (ready === null || arriving === null) return ready ?? arriving;
    return ready.number < arriving.number ? ready : arriving;
  }

  #fits(arriving: boolean): boolean {
    if (this.#inside.size >= this.#limit) return false;
    return !arriving || this.#arrivingInside < Math.max(1, this.#limit * ARRIVING_SHARE);
  }

  #place(arriving: boolean): Place {
    const place = new Place(this, arriving);
    this.#inside.add(place);
    if (arriving) this.#arrivingInside += 1;
    return place;
  }

  /** Cuts whose client has not read for the longest. */
  #cutStalled(): void {
    let oldest: Place | null = null;
    let sinceMs = this.#now() - STALLED_MS;
    for (const place of this.#inside) {
      if (place.stalledAtMs === null || place.stalledAtMs > sinceMs) continue;
      oldest = place;
      sinceMs = place.stalledAtMs;
    }
    if (oldest === null) return;
    oldest.moving();
    oldest.cut();
  }
}

function firstOf(queue: ReadonlySet<Waiter>): Waiter | null {
  return queue.values().next().value ?? null;
}

function nothing(): void {}
