import type { CurrentConfig } from "./config/current.ts";
import type { EventBus } from "./events.ts";
import type { Topology, TopologyStore } from "./fleet/topology.ts";
import type { RegionTable } from "./regions/table.ts";
import { writeRegionOf } from "./regions/view.ts";
import type { View } from "./routing/region.ts";
import { newerEpochOfWriter } from "./routing/writers.ts";

export interface TopologyWatchParts {
  readonly topology: TopologyStore;
  readonly table: RegionTable;
  readonly config: CurrentConfig;
  readonly events: EventBus;
}

/** Keeps the table to the fleet's word of where writes go, and the fleet to what the regions say of their epoch. */
export class TopologyWatch {
  readonly #parts: TopologyWatchParts;

  constructor(parts: TopologyWatchParts) {
    this.#parts = parts;
    parts.topology.onChange((topology) => this.#follow(topology));
    parts.events.on("viewChanged", ({ view }) => void this.#catchUp(view));
  }

  /** The fleet's word counts, not the file's; also when the file is read again. */
  follow(): void {
    this.#follow(this.#parts.topology.get());
  }

  #follow(topology: Topology): void {
    const { table, config, events } = this.#parts;
    table.setTopology(topology);
    const written = writeRegionOf(config.get());
    if (topology.writer === written) return;
    const detail = `writes go to ${topology.writer} (epoch ${topology.epoch}), and not to ${written} as the file says`;
    events.emit("warned", { what: "write region is not the file's", detail });
  }

  /** A region that speaks of a newer epoch has heard of something; the write region itself is right about it. */
  async #catchUp(view: View): Promise<void> {
    const { topology, table } = this.#parts;
    if (!view.regions.some(({ applied }) => (applied?.epoch ?? 0) > view.epoch)) return;
    await topology.refresh();
    const now = table.view;
    const epoch = newerEpochOfWriter(now);
    if (epoch === null || now.writeRegion === null) return;
    const adopted = { from: now.epoch, to: epoch, writer: now.writeRegion, at: null };
    await topology.promote(adopted).catch(() => false);
  }
}
