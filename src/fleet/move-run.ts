import { setTimeout as sleep } from "node:timers/promises";
import type { Region, View } from "../routing/region.ts";
import { edgesIn, type KnownEdge } from "./edges.ts";
import type { HookAnswer } from "./hook.ts";
import {
  carriedOn,
  givenUp,
  handedToHook,
  heardFromAll,
  isSettled,
  LEASE_MS,
  letGo,
  type Move,
  mayBePromoted,
  type Transition,
} from "./move.ts";
import { type Heard, hasAllOf, mayGoBack, outcomeOf } from "./readiness.ts";
import { SharedAway, type SharedHash } from "./shared-hash.ts";
import { heldDown, promoted, type Topology, type TopologyStore } from "./topology.ts";

/** Until the new region says that it takes writes. */
const VERIFIED_WITHIN_MS = 20_000;
/** After a hook that failed, to find out whether it did its work all the same. */
const LOOKED_WITHIN_MS = 3_000;
/** What every edge may take to hold writes, and its writes to end, when the old region is given up anyway. */
const FORCED_WITHIN_MS = 2_000;
/** What writes may wait before the hook, as a share of what they wait at all: until then nobody is hurt by going back. */
const SHARE_BEFORE_HOOK = 0.7;
/** The same where writes do not wait. */
const UNHELD_WITHIN_MS = 10_000;
/** A probe and its time-out, as they usually are. */
const HEARD_WITHIN_MS = 2_000;
const LOOK_AGAIN_MS = 50;
/** A command or two may time out, and the lease goes on. */
const CONFIRMED_WITHIN_MS = LEASE_MS / 2;
/** Without an answer of the shared memory for so long, what it last said is no news. */
const SILENT_FOR_MS = 1_000;
/** How often a coordinator says that it lives. */
const RENEW_MS = LEASE_MS / 5;
/** Why nothing that is known of the edges proves anything. */
const FORGOTTEN =
  "the shared memory is young or was lost, and not every edge can have said yet that it holds writes; try again, or force, which may lose some";
/** Of a region that says nothing: then every earlier position counts as lost. */
const NOWHERE = "0".repeat(16);

export interface MoveRunParts {
  readonly hash: SharedHash;
  readonly topology: TopologyStore;
  /** What this edge sees now. */
  readonly view: () => View;
  /** Hears a region anew. Resolves to whether the view has nothing of it that is older than this call. */
  readonly ask: (region: string) => Promise<boolean>;
  /** Tells whoever promotes the database; null when nobody is configured, and an operator does it by hand. */
  readonly hook: () => ((move: Move) => Promise<HookAnswer>) | null;
  readonly settings: () => MoveSettings;
}

export interface MoveSettings {
  readonly maxLagMs: number;
  readonly holdWritesMs: number;
  /** After a move that nobody has asked for. */
  readonly holdDownMs: number;
}

/** What a move of the write region has come to. */
export interface Moved {
  readonly from: string;
  readonly writer: string;
  readonly epoch: number;
  /** Where the new epoch begins in the write log; what was written beyond it is lost. */
  readonly promotedPosition: string;
  /** For how long no edge took writes. */
  readonly heldMs: number;
}

/** Why the write region was not moved; unless it says otherwise nothing is changed then. */
export class NotMoved extends Error {
  override name = "NotMoved";
}

/** A move that this edge carries out, from the step that it has come to. */
export class MoveRun {
  readonly #id: string;
  readonly #parts: MoveRunParts;
  readonly #isClosed: () => boolean;

  /** `isClosed` is whether this edge stops: then another has to go on. */
  constructor(id: string, parts: MoveRunParts, isClosed: () => boolean) {
    this.#id = id;
    this.#parts = parts;
    this.#isClosed = isClosed;
  }

  /** Rejects with {@link NotMoved}, or with `SharedAway` when the shared memory does not answer for as long as the lease. */
  async run(): Promise<Moved> {
    const renew = () => this.#parts.topology.change(carriedOn(this.#id, this.#self));
    const renewal = setInterval(() => void renew().catch(() => false), RENEW_MS).unref();
    try {
      return await this.#steps();
    } catch (error) {
      await this.#leave();
      throw error;
    } finally {
      clearInterval(renewal);
    }
  }

  async #steps(): Promise<Moved> {
    let move = this.#mine();
    for (;;) {
      try {
        move = this.#mine();
        if (move.step === "hold") await this.#hold(move);
        else if (move.step === "catch-up") await this.#catchUp(move);
        else return await (move.step === "hook" ? this.#callHook(move) : this.#settle(move, VERIFYING));
      } catch (error) {
        if (!(error instanceof SharedAway) || !(await this.#isHeardAgain(move))) throw error;
        const moved = this.#movedBefore(move);
        if (moved !== null) return moved;
      }
    }
  }

  /** A memory that was away for a moment says how far the move has come, and it goes on from there, within its lease. */
  async #isHeardAgain({ leaseUntilMs }: Move): Promise<boolean> {
    const { hash } = this.#parts;
    while (!this.#isClosed() && hash.nowMs() < leaseUntilMs) {
      if (await hash.refresh()) return true;
      await sleep(LOOK_AGAIN_MS);
    }
    return false;
  }

  /** What it has come to, when the memory took the last change and could not say so; null when it did not. */
  #movedBefore(move: Move): Moved | null {
    const { hash, topology } = this.#parts;
    const { epoch, writer, promotions } = topology.get();
    if (move.epoch === null || writer !== move.to || epoch < move.epoch) return null;
    const promotedPosition = promotions.find((promotion) => promotion.epoch === epoch)?.at ?? NOWHERE;
    return { from: move.from, writer, epoch, promotedPosition, heldMs: hash.nowMs() - move.sinceMs };
  }

  /** After a failure: before the hook it is given up, later another edge may have more luck. */
  async #leave(): Promise<void> {
    const { move } = this.#parts.topology.get();
    if (move?.id !== this.#id) return;
    const again = this.#parts.hook() === null ? "verify" : "hook";
    const transition = mayBePromoted(move)
      ? letGo(this.#id, this.#self, again)
      : givenUp(this.#id, this.#self);
    await this.#parts.topology.change(transition).catch(() => false);
  }

  async #hold(move: Move): Promise<void> {
    const withinMs = this.#isLossy(move) ? FORCED_WITHIN_MS : this.#beforeHookMs();
    await this.#until(withinMs, () => this.#whyNotStill(move) === null);
    const why = this.#whyNotStill(move);
    if (why !== null && this.#parts.hash.heardMsAgo() > SILENT_FOR_MS)
      throw new SharedAway("nobody can say any more that he holds his writes");
    if (why !== null && !this.#isLossy(move)) throw new NotMoved(why);
    await this.#advance(this.#heardFromAll(move, carriedOn(move.id, this.#self, { step: "catch-up" })));
  }

  /** Why a write may still reach the old region; null when every edge says that it sends none. */
  #whyNotStill(move: Move): string | null {
    const { hash, topology } = this.#parts;
    if (!isSettled(topology.get(), hash.nowMs())) return FORGOTTEN;
    const late = edgesIn(hash).find((edge) => edge.live && !isStill(edge, move));
    return late === undefined ? null : whyLate(late, move);
  }

  #heardFromAll(move: Move, step: Transition): Transition {
    return this.#isLossy(move) ? step : heardFromAll(move.id, this.#self, step);
  }

  /** What either region said before all writes were held proves nothing, so both are heard anew, the old one first. */
  async #catchUp(move: Move): Promise<void> {
    const { view, hook } = this.#parts;
    const endAtMs = performance.now() + this.#beforeHookMs();
    for (;;) {
      const isOldHeard = this.#isLossy(move) || (await this.#hears(move.from));
      const isHeard = (await this.#hears(move.to)) && isOldHeard;
      const { byId } = view();
      const target = byId.get(move.to);
      if (this.#isLossy(move) || (isHeard && hasAllOf(target, byId.get(move.from)))) {
        const at = target?.applied?.at ?? null;
        const step = hook() === null ? "verify" : "hook";
        const handed = handedToHook(move.id, this.#self, step, at);
        return await this.#advance(this.#heardFromAll(move, handed));
      }
      if (performance.now() > endAtMs)
        throw new NotMoved(`${move.to} has not caught up with ${move.from}; force would lose what it lacks`);
      await this.#pause();
    }
  }

  async #callHook(move: Move): Promise<Moved> {
    const answer = (await this.#parts.hook()?.(move)) ?? { done: true };
    if (!answer.done)
      return this.#settle(move, { hookDone: false, cause: answer.cause, withinMs: LOOKED_WITHIN_MS });
    await this.#advance(carriedOn(move.id, this.#self, { step: "verify" }));
    return this.#settle(move, VERIFYING);
  }

  /** Finds out which region takes writes now, and lets them go there. */
  async #settle(move: Move, { hookDone, cause, withinMs }: Settling): Promise<Moved> {
    const endAtMs = performance.now() + withinMs;
    const epoch = move.epoch ?? 0;
    for (;;) {
      const [old, target] = [await this.#heard(move.from), await this.#heard(move.to)];
      const outcome = outcomeOf(target, old, { epoch, hookDone });
      if (outcome === "new") return await this.#raise(move, target.region);
      const isOver = performance.now() > endAtMs;
      const why =
        cause || `${move.to} says that it is not the writer; promote its database while writes are held`;
      if (outcome === "old" || (isOver && mayGoBack(old, target, this.#isLossy(move)))) {
        await this.#advance(givenUp(move.id, this.#self), (seen) => seen.move?.id !== move.id);
        throw new NotMoved(why);
      }
      if (isOver)
        throw new NotMoved(
          `${why}. ${move.from} takes no writes either, so they are held, and it is tried again`,
        );
      await this.#pause();
    }
  }

  async #raise(move: Move, target: Region | undefined): Promise<Moved> {
    const { topology, hash } = this.#parts;
    const { epoch: from } = topology.get();
    const to = Math.max(move.epoch ?? from + 1, target?.applied?.epoch ?? 0);
    const at = target?.applied?.at ?? move.at ?? NOWHERE;
    const { holdDownMs } = this.#parts.settings();
    await this.#advance(
      (seen, nowMs) => {
        if (seen.move?.id !== move.id || seen.move.by !== this.#self) return null;
        const raised = promoted({ from, to, writer: move.to, at })(seen, nowMs);
        return raised && move.automatic ? heldDown(raised, holdDownMs, nowMs) : raised;
      },
      (seen) => seen.epoch === to && seen.writer === move.to,
    );
    return {
      from: move.from,
      writer: move.to,
      epoch: to,
      promotedPosition: at,
      heldMs: hash.nowMs() - move.sinceMs,
    };
  }

  /** The move as it is, if it still is this edge's to carry out. */
  #mine(): Move {
    const { move } = this.#parts.topology.get();
    if (move?.id !== this.#id || move.by !== this.#self)
      throw new NotMoved("another edge has taken the move over");
    if (this.#isClosed()) throw new NotMoved("this edge stops");
    return move;
  }

  async #advance(transition: Transition, isDone?: (topology: Topology) => boolean): Promise<void> {
    const done = await confirmedChange(this.#parts.topology, transition, isDone);
    if (!done) throw new NotMoved("another edge has taken the move over");
  }

  /** Resolves when it is so, or the time is over. Rejects when the move is this edge's no more. */
  async #until(withinMs: number, isSo: () => boolean): Promise<void> {
    const endAtMs = performance.now() + withinMs;
    while (!isSo() && performance.now() < endAtMs) {
      await this.#parts.hash.refresh();
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    await sleep(LOOK_AGAIN_MS);
    this.#mine();
  }

  async #heard(region: string): Promise<Heard> {
    const heard = await this.#hears(region);
    return { heard, region: this.#parts.view().byId.get(region) };
  }

  /** False when there is no answer in time. */
  #hears(region: string): Promise<boolean> {
    return Promise.race([this.#parts.ask(region), sleep(HEARD_WITHIN_MS, false, { ref: false })]);
  }

  /** Whether the old region is given up with what only it has. */
  #isLossy({ forced, automatic }: Move): boolean {
    return forced || automatic;
  }

  #beforeHookMs(): number {
    const { holdWritesMs } = this.#parts.settings();
    return holdWritesMs === 0 ? UNHELD_WITHIN_MS : holdWritesMs * SHARE_BEFORE_HOOK;
  }

  get #self(): string {
    return this.#parts.hash.selfKey;
  }
}

/**
 * Makes a change, and tries again while the lease may last when that was not confirmed. It may have been made all the same:
 * `isDone` tells.
 */
export async function confirmedChange(
  topology: TopologyStore,
  transition: Transition,
  isDone = (_: Topology) => false,
): Promise<boolean> {
  const endAtMs = performance.now() + CONFIRMED_WITHIN_MS;
  for (;;) {
    try {
      return (await topology.change(transition)) || isDone(topology.get());
    } catch (error) {
      if (!(error instanceof SharedAway) || performance.now() > endAtMs) throw error;
      await sleep(LOOK_AGAIN_MS);
      await topology.refresh();
    }
  }
}

interface Settling {
  readonly hookDone: boolean;
  /** Why the hook failed; empty when it did not. */
  readonly cause: string;
  readonly withinMs: number;
}

/** Whether this edge sends no writes, and none that it has sent is under way. */
function isStill({ holds, writesUnderWay }: KnownEdge, { id }: Move): boolean {
  return holds === id && writesUnderWay === 0;
}

function whyLate({ id, holds, writesUnderWay }: KnownEdge, move: Move): string {
  if (holds !== move.id) return `the edge ${id} has not said that it holds writes; force goes on without it`;
  return `${writesUnderWay} writes through the edge ${id} have not ended; wait for them, or force, which may lose them`;
}

const VERIFYING: Settling = { hookDone: true, cause: "", withinMs: VERIFIED_WITHIN_MS };
