import { LIVE_FOR_MS } from "./edges.ts";
import type { Topology } from "./topology.ts";

/**
 * How far a move of the write region has come:
 * - `hold`: every edge stops sending writes, and lets those that it has sent end;
 * - `catch-up`: the new region gets what the old one has;
 * - `hook`: whoever promotes the database is told, and may have done it;
 * - `verify`: the new region is waited for to say that it takes writes.
 *
 * Before `hook` nothing has been promoted, and a move that nobody carries on lapses. From `hook` on it is carried on by
 * another edge.
 */
export type Step = "hold" | "catch-up" | "hook" | "verify";

/** A move of the write region that is under way. */
export interface Move {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly step: Step;
  /** The epoch that it will begin, and no other move ever; null until the hook. */
  readonly epoch: number | null;
  /** Up to where the new region had the write log before it was promoted; null when it does not say. */
  readonly at: string | null;
  /** The edge that carries it out, as the shared hash calls it. */
  readonly by: string;
  /** Until when, by the shared clock, nobody else may. */
  readonly leaseUntilMs: number;
  readonly sinceMs: number;
  readonly automatic: boolean;
  /** Although something of the old region may be lost. */
  readonly forced: boolean;
  /** Who wants it. */
  readonly who: string;
  readonly reason: string;
}

/** What is wanted of a move, before it begins. */
export type Wanted = Pick<Move, "to" | "automatic" | "forced" | "who" | "reason">;

/** The topology after a change, or null when it may not be made. By the shared clock. */
export type Transition = (topology: Topology, nowMs: number) => Topology | null;

/** How long a coordinator that is not heard of keeps its move. */
export const LEASE_MS = 5_000;
/**
 * For so long after a memory was born, or was found lost and put back, nobody moves anything: an edge that knows better asks
 * once a second, and says so. Whoever has not spoken by then is reckoned with no more.
 */
export const SETTLED_AFTER_MS = LIVE_FOR_MS;

/** Begins a move, unless one is under way, the epoch is another, or the memory is too young to be believed. */
export function begun(move: Move, epoch: number): Transition {
  return (topology, nowMs) => {
    if (topology.move !== null || topology.epoch !== epoch || !isSettled(topology, nowMs)) return null;
    return { ...topology, move: { ...move, sinceMs: nowMs, leaseUntilMs: nowMs + LEASE_MS } };
  };
}

export function isSettled({ bornMs }: Topology, nowMs: number): boolean {
  return nowMs >= bornMs + SETTLED_AFTER_MS;
}

/** The move goes on, in the hands of who has it: to another step, or for another while. */
export function carriedOn(
  id: string,
  by: string,
  change: Partial<Pick<Move, "step" | "at">> = {},
): Transition {
  return ifMine(id, by, (topology, move, nowMs) => ({
    ...topology,
    move: { ...move, ...change, leaseUntilMs: nowMs + LEASE_MS },
  }));
}

/**
 * A step that rests on what every edge has said. A memory that was lost has lost that too, and an edge that has not spoken
 * again yet may have writes under way: then all are heard again.
 */
export function heardFromAll(id: string, by: string, step: Transition): Transition {
  const again = carriedOn(id, by, { step: "hold" });
  return (topology, nowMs) => (isSettled(topology, nowMs) ? step : again)(topology, nowMs);
}

/** The step from which there is no way back but by looking: the move gets an epoch that no other has had. */
export function handedToHook(id: string, by: string, step: "hook" | "verify", at: string | null): Transition {
  return ifMine(id, by, (topology, move, nowMs) => {
    // Whoever did not hear that it was done does it again.
    const epoch = move.epoch ?? Math.max(topology.epoch, topology.spent) + 1;
    return {
      ...topology,
      spent: Math.max(topology.spent, epoch),
      move: { ...move, step, epoch, at, leaseUntilMs: nowMs + LEASE_MS },
    };
  });
}

/** Another edge carries on what nobody does any more. */
export function takenOver(id: string, by: string): Transition {
  return ({ move, ...topology }, nowMs) => {
    if (move?.id !== id || move.leaseUntilMs > nowMs || !mayBePromoted(move)) return null;
    return { ...topology, move: { ...move, by, leaseUntilMs: nowMs + LEASE_MS } };
  };
}

/** Whoever has it can carry it on no more, and lets another try again at the end of the lease. */
export function letGo(id: string, by: string, step: Step): Transition {
  return ifMine(id, by, (topology, move) => ({ ...topology, move: { ...move, step } }));
}

/** The old region keeps the writes. */
export function givenUp(id: string, by: string): Transition {
  return ifMine(id, by, (topology) => ({ ...topology, move: null }));
}

/** What nobody carries on before anything was promoted is over. */
export function lapsed(id: string): Transition {
  return (topology, nowMs) => {
    const { move } = topology;
    if (move?.id !== id || move.leaseUntilMs > nowMs || mayBePromoted(move)) return null;
    return { ...topology, move: null };
  };
}

/** Whether the hook has been, or may have been, called. */
export function mayBePromoted({ step }: Move): boolean {
  return step === "hook" || step === "verify";
}

function ifMine(
  id: string,
  by: string,
  change: (topology: Topology, move: Move, nowMs: number) => Topology,
): Transition {
  return (topology, nowMs) => {
    const { move } = topology;
    return move?.id === id && move.by === by ? change(topology, move, nowMs) : null;
  };
}
