import type { CurrentConfig } from "../config/current.ts";
import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import { AdmissionStore } from "../fleet/admissions.ts";
import { DrillFollower } from "../fleet/drill-follower.ts";
import { DrillStore } from "../fleet/drill-store.ts";
import type { SharedHash } from "../fleet/shared-hash.ts";
import { firstTopology, TopologyStore } from "../fleet/topology.ts";
import type { RegionTable, RehearsedLoss } from "../regions/table.ts";
import { writeRegionOf } from "../regions/view.ts";
import { reportOf } from "../report.ts";
import type { Rate } from "../routing/traffic.ts";
import { TopologyWatch } from "../topology-watch.ts";

/** How often it is looked whether a drill is still supervised. */
const LOOK_MS = 250;

export interface FollowerParts {
  readonly worker: number;
  readonly events: EventBus;
  readonly config: CurrentConfig;
  readonly hash: SharedHash;
  readonly table: RegionTable;
  readonly writes: { readonly underWay: number };
  readonly rates: () => readonly Rate[];
  rehearse(drill: RehearsedLoss | null): void;
}

/**
 * A worker in the fleet of its edge. It follows admissions, the write region and drills by itself, and says itself that it holds its
 * writes and how many are under way, as an edge does: so a move of the write region waits for every process that could send one,
 * and no message between the processes of a machine is trusted with it. It begins nothing, and has no voice in a quorum.
 */
export class Follower {
  readonly topology: TopologyStore;
  readonly #parts: FollowerParts;
  readonly #watch: TopologyWatch;
  readonly #drill: DrillFollower;
  readonly #looking: NodeJS.Timeout;

  constructor(parts: FollowerParts) {
    const { events, config, hash, table } = parts;
    this.#parts = parts;
    this.topology = new TopologyStore(hash, firstTopology(writeRegionOf(config.get())));
    new AdmissionStore(hash).onChange((said) => table.setAdmissions(said));
    const { topology } = this;
    this.#watch = new TopologyWatch({ hash, topology, table, config, events });
    const store = new DrillStore(hash);
    this.#drill = new DrillFollower({ events, hash, store, rehearse: (drill) => parts.rehearse(drill) });
    store.onChange(() => this.#drill.look());
    this.#looking = setInterval(() => this.#drill.look(), LOOK_MS).unref();
    hash.say(() => JSON.stringify(this.#report()));
  }

  /** Call it when what the others say is known. */
  follow(): void {
    this.#watch.follow();
    this.#drill.look();
  }

  configure(config: Config): void {
    this.topology.fileSays(writeRegionOf(config));
    this.#watch.follow();
  }

  close(): void {
    clearInterval(this.#looking);
    this.#drill.close();
    this.topology.close();
  }

  #report() {
    const { worker, config, table, writes, rates } = this.#parts;
    const { move } = this.topology.get();
    return {
      ...reportOf(table, {
        ...{ worker, holds: move?.id ?? null, writesUnderWay: writes.underWay, rates: rates() },
        location: config.get().edge.location ?? null,
        drill: this.#drill.said,
      }),
      // It sees them by the eyes of its edge, which has said it.
      regions: {},
    };
  }
}
