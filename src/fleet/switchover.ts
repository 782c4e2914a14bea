import { setTimeout as sleep } from "node:timers/promises";
import type { Position } from "../routing/position.ts";
import type { Region, View } from "../routing/region.ts";
import type { TopologyStore } from "./topology.ts";

/** No edge takes writes for longer than this because of a move that nobody finishes. */
const HOLD_MS = 30_000;
/** Within which every edge that reaches the store knows that writes are held, see `RedisTopologyStore`. */
const FOLLOWED_WITHIN_MS = 2_000;
/** Until the region has what the old one has, and says that it is the writer. */
const READY_WITHIN_MS = 20_000;
/** A probe and its time-out, as they usually are. */
const HEARD_WITHIN_MS = 2_000;
const LOOK_AGAIN_MS = 50;
/** Of a region that says nothing: then every earlier position counts as lost. */
const NOWHERE = "0".repeat(16);

export interface SwitchoverParts {
  readonly topology: TopologyStore;
  /** What this edge sees now. */
  readonly view: () => View;
  /** Hears a region anew. Resolves to whether the view has nothing of it that is older than this call. */
  readonly ask: (region: string) => Promise<boolean>;
  /** False for a lone edge, for whom nobody has to be waited. */
  readonly isShared: boolean;
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

/** Why the write region was not moved; nothing is changed then. */
export class NotMoved extends Error {
  override name = "NotMoved";
}

/** What speaks against making this region the write region; null when nothing does. `force` leaves out what is only unwise. */
export function objectionToMove(region: string, force: boolean, view: View): string | null {
  const target = view.byId.get(region);
  if (target === undefined) return `no region is called ${region}`;
  if (view.writeRegion === null) return "with several writers there is no write region to move";
  if (view.writeRegion === region) return `${region} is the write region already`;
  if (view.moving) return "a move is under way; wait for its end";
  if (force) return null;
  if (target.admission === "closed") return `${region} is closed`;
  if (target.health !== "up") return `${region} is ${target.health}`;
  if (target.applied === null)
    return `${region} does not say how far it has applied the write log, so nobody knows what would be lost`;
  return null;
}

/**
 * Moves the write region: writes are held at every edge, the region catches up (unless forced) and is promoted by the
 * operator meanwhile, the epoch is raised. Rejects with {@link NotMoved}, or with `TopologyAway` when the store does not
 * answer: an edge that dies in the middle leaves a hold that ends by itself.
 */
export async function moveWriteRegion(
  { region, force }: { readonly region: string; readonly force: boolean },
  parts: SwitchoverParts,
): Promise<Moved> {
  const { topology, view } = parts;
  const objection = objectionToMove(region, force, view());
  if (objection !== null) throw new NotMoved(objection);
  const { epoch, writer } = topology.get();
  const from = writer ?? view().writeRegion ?? "";
  const startedAtMs = performance.now();
  if (!(await topology.hold(epoch, HOLD_MS))) throw new NotMoved("somebody else has moved it");
  try {
    await sleep(parts.isShared ? FOLLOWED_WITHIN_MS : 0);
    const position = await readyPosition({ region, from, force }, parts);
    const to = Math.max(epoch + 1, position?.epoch ?? 0);
    const at = position?.at ?? NOWHERE;
    if (!(await topology.promote({ from: epoch, to, writer: region, at, whileHeld: true })))
      throw new NotMoved("somebody else has moved it");
    return { from, writer: region, epoch: to, promotedPosition: at, heldMs: performance.now() - startedAtMs };
  } catch (error) {
    await topology.resume(epoch).catch(() => false);
    throw error;
  }
}

interface Candidate {
  readonly region: string;
  readonly from: string;
  readonly force: boolean;
}

/**
 * Up to where the region has applied the log, once it is ready to be written to. What it or the old writer said before
 * all writes were held proves nothing: the old writer may have made some since. So both are heard anew, the old one first.
 */
async function readyPosition(candidate: Candidate, { ask, view }: SwitchoverParts): Promise<Position | null> {
  const { region, from, force } = candidate;
  const endAtMs = performance.now() + READY_WITHIN_MS;
  for (;;) {
    const isOldHeard = force || (await within(HEARD_WITHIN_MS, ask(from)));
    const isHeard = (await within(HEARD_WITHIN_MS, ask(region))) && isOldHeard;
    const unready = whyUnready(candidate, isHeard, view());
    const isOver = performance.now() > endAtMs;
    if (unready === null || (force && isOver)) return view().byId.get(region)?.applied ?? null;
    if (isOver) throw new NotMoved(unready);
    await sleep(LOOK_AGAIN_MS);
  }
}

/** What the region still lacks; null when nothing. */
function whyUnready({ region, from, force }: Candidate, isHeard: boolean, { byId }: View): string | null {
  const target = byId.get(region);
  if (!force && !(isHeard && target && hasAllOf(target, byId.get(from))))
    return `${region} has not caught up with ${from}; force would lose what it lacks`;
  if (target?.writer === false)
    return `${region} says that it is not the writer; promote its database while writes are held`;
  return null;
}

/** False when there is no answer in time. */
function within(ms: number, answer: Promise<boolean>): Promise<boolean> {
  return Promise.race([answer, sleep(ms, false, { ref: false })]);
}

/** A region that speaks of a newer epoch has been promoted already: it writes a log of its own. */
function hasAllOf(target: Region, old: Region | undefined): boolean {
  if (target.applied === null || !old?.applied) return false;
  if (target.applied.epoch > old.applied.epoch) return true;
  return target.applied.epoch === old.applied.epoch && target.applied.at >= old.applied.at;
}
