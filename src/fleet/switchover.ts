import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { EventBus } from "../events.ts";
import type { Traffic } from "../routing/capacity.ts";
import {
  begun,
  isSettled,
  lapsed,
  type Move,
  mayBePromoted,
  SETTLED_AFTER_MS,
  type Transition,
  takenOver,
  type Wanted,
} from "./move.ts";
import { confirmedChange, type Moved, MoveRun, type MoveRunParts, NotMoved } from "./move-run.ts";
import { objectionToMove } from "./readiness.ts";
import { SharedAway } from "./shared-hash.ts";
import type { Topology } from "./topology.ts";

/** As often as that a memory may turn out to be younger than it was thought to be. */
const SETTLED_LOOKS = 5;

export interface SwitchoverParts extends MoveRunParts {
  readonly events: EventBus;
  /** What the regions are sent, and can bear. */
  readonly traffic: () => Traffic;
}

/**
 * Moves the write region, step by step, each of which is in the shared memory before it is taken. An edge that dies in the
 * middle leaves a move that lapses, or that another edge carries on: see {@link Move.step}.
 */
export class Switchover {
  readonly #parts: SwitchoverParts;
  readonly #carried = new Map<string, Promise<Moved>>();
  readonly #unsubscribe: () => void;
  #isLooking = false;
  #isClosed = false;

  constructor(parts: SwitchoverParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.hash.onHeard(() => void this.#look());
  }

  /** Rejects with {@link NotMoved}, or with `SharedAway` when the shared memory does not answer. */
  async move(wanted: Wanted): Promise<Moved> {
    const { topology, view, settings } = this.#parts;
    const judged = { view: view(), maxLagMs: settings().maxLagMs, traffic: this.#parts.traffic() };
    const objection = objectionToMove(wanted.to, wanted.forced || wanted.automatic, judged);
    if (objection !== null) throw new NotMoved(objection);
    await this.#untilSettled();
    const { epoch, writer } = topology.get();
    const move: Move = {
      ...wanted,
      id: randomUUID(),
      from: writer ?? judged.view.writeRegion ?? "",
      step: "hold",
      epoch: null,
      at: null,
      by: this.#parts.hash.selfKey,
      sinceMs: 0,
      leaseUntilMs: 0,
    };
    return this.#begin(move, begun(move, epoch));
  }

  /** Follows a promotion that was made without this fleet, or late by its hook, in the epoch that the region names. */
  async adopt({ to, epoch }: { readonly to: string; readonly epoch: number }): Promise<Moved> {
    const { topology, hash } = this.#parts;
    const { writer, epoch: present } = topology.get();
    const reason = `${to} says that it takes writes in epoch ${epoch}, and ${writer} takes none`;
    const move: Move = {
      ...{ id: randomUUID(), from: writer ?? "", to, step: "verify", epoch, at: null, by: hash.selfKey },
      ...{ sinceMs: 0, leaseUntilMs: 0, automatic: true, forced: true, who: "meridian", reason },
    };
    return this.#begin(move, (seen, nowMs) =>
      begun(move, present)({ ...seen, spent: Math.max(seen.spent, epoch) }, nowMs),
    );
  }

  /** Lets go of what is under way, for another edge. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe();
    await Promise.allSettled(this.#carried.values());
  }

  async #begin(move: Move, transition: Transition): Promise<Moved> {
    const isBegun = (topology: Topology) => topology.move?.id === move.id;
    if (!(await confirmedChange(this.#parts.topology, transition, isBegun)))
      throw new NotMoved("somebody else moves it");
    return this.#carry(move.id);
  }

  /** Who has just begun to remember waits until everybody who knows better has said so; by a clock that is only estimated. */
  async #untilSettled(): Promise<void> {
    const { hash, topology } = this.#parts;
    const leftMs = () => topology.get().bornMs + SETTLED_AFTER_MS - hash.nowMs();
    for (let looks = 0; hash.isShared && !isSettled(topology.get(), hash.nowMs()); looks += 1) {
      if (looks === SETTLED_LOOKS) return;
      await sleep(Math.min(leftMs(), SETTLED_AFTER_MS) + 1);
      await hash.refresh();
    }
  }

  /** What nobody carries on: before the hook it is over, after it this edge carries it on. */
  async #look(): Promise<void> {
    const { hash, topology } = this.#parts;
    const { move } = topology.get();
    if (move === null || move.leaseUntilMs > hash.nowMs() || this.#carried.has(move.id)) return;
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    try {
      if (!mayBePromoted(move)) await topology.change(lapsed(move.id));
      else if (await topology.change(takenOver(move.id, hash.selfKey)))
        void this.#carry(move.id).catch((error: unknown) => this.#tellFailed(error));
    } catch (error) {
      if (!(error instanceof SharedAway)) throw error;
    } finally {
      this.#isLooking = false;
    }
  }

  #carry(id: string): Promise<Moved> {
    const run = new MoveRun(id, this.#parts, () => this.#isClosed);
    const carried = run.run().finally(() => this.#carried.delete(id));
    this.#carried.set(id, carried);
    return carried;
  }

  #tellFailed(error: unknown): void {
    const known = error instanceof NotMoved || error instanceof SharedAway;
    if (!known) this.#parts.events.emit("failed", { where: "switchover", error: error as Error });
    else this.#parts.events.emit("warned", { what: "write region not moved", detail: error.message });
  }
}
