import type { CurrentConfig } from "./config/current.ts";
import type { EventBus } from "./events.ts";
import { edgesIn, quorumOn } from "./fleet/edges.ts";
import type { Move } from "./fleet/move.ts";
import type { SharedHash } from "./fleet/shared-hash.ts";
import { modeOf, type Topology, type TopologyStore } from "./fleet/topology.ts";
import type { RegionTable } from "./regions/table.ts";
import { writeRegionOf } from "./regions/view.ts";
import type { View } from "./routing/region.ts";
import { newerEpochOfWriter } from "./routing/writers.ts";

export interface TopologyWatchParts {
  readonly hash: SharedHash;
  readonly topology: TopologyStore;
  readonly table: RegionTable;
  readonly config: CurrentConfig;
  readonly events: EventBus;
}

/** Keeps the table to the fleet's word of where writes go, and the fleet to what the regions say of their epoch. */
export class TopologyWatch {
  readonly #parts: TopologyWatchParts;
  #seen: Topology;
  /** What was last warned of. */
  #warned = "";

  constructor(parts: TopologyWatchParts) {
    this.#parts = parts;
    this.#seen = parts.topology.get();
    parts.topology.onChange((topology) => this.#follow(topology));
    parts.events.on("viewChanged", ({ view }) => void this.#catchUp(view));
    parts.hash.onHeard(() => this.#vouch());
  }

  /** The fleet's word counts, not the file's; also when the file is read again. */
  follow(): void {
    this.#follow(this.#parts.topology.get());
  }

  #follow(topology: Topology): void {
    const { table, hash } = this.#parts;
    const { move } = this.#seen;
    table.setTopology({ ...topology, mode: modeOf(topology) });
    // Whoever moves it waits to hear from every edge that it holds its writes.
    if (topology.move !== null && topology.move.id !== move?.id) void hash.refresh();
    this.#tellMove(move, topology);
    this.#tellFile(topology);
    this.#seen = topology;
  }

  #tellMove(before: Move | null, { move, writer, epoch }: Topology): void {
    const { events, hash } = this.#parts;
    if (before !== null && before.id !== move?.id) {
      const moved = writer === before.to;
      events.emit("moveEnded", { ...newsOf(before), moved, epoch, heldMs: hash.nowMs() - before.sinceMs });
    }
    if (move === null) return;
    const by = nameOf(move.by);
    const { reason: why, automatic, step } = move;
    if (before?.id !== move.id) events.emit("moveBegan", { ...newsOf(move), by, why, automatic });
    if (before?.id !== move.id || before.step !== step || before.by !== move.by)
      events.emit("moveStepped", { ...newsOf(move), step, by });
  }

  #tellFile({ writer, epoch }: Topology): void {
    const written = writeRegionOf(this.#parts.config.get());
    const detail = `writes go to ${writer} (epoch ${epoch}), and not to ${written} as the file says`;
    if (writer !== written && detail !== this.#warned && this.#parts.hash.isShared)
      this.#parts.events.emit("warned", { what: "write region is not the file's", detail });
    this.#warned = writer === written ? "" : detail;
  }

  /** For reads an edge believes its own eyes; where writes go is for most of them to see. */
  #vouch(): void {
    const { hash, topology, table } = this.#parts;
    if (!hash.isShared) return;
    const { up, needed } = quorumOn(topology.get().writer, edgesIn(hash));
    table.setVouched(up >= needed);
  }

  /** A region that speaks of a newer epoch has heard of something; the write region itself is right about it. */
  async #catchUp(view: View): Promise<void> {
    const { topology, table } = this.#parts;
    if (!view.regions.some(({ applied }) => (applied?.epoch ?? 0) > view.epoch)) return;
    await topology.refresh();
    const now = table.view;
    const epoch = newerEpochOfWriter(now);
    if (epoch === null || now.writeRegion === null || now.moving) return;
    const adopted = { from: now.epoch, to: epoch, writer: now.writeRegion, at: null };
    await topology.promote(adopted).catch(() => false);
  }
}

function newsOf({ id, from, to }: Move) {
  return { move: id, from, to };
}

/** The id of an edge, of its name in the shared hash. */
export function nameOf(key: string): string {
  return key.slice(0, key.lastIndexOf(":"));
}
