import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { TopologyStore } from "../fleet/topology.ts";
import type { RegionTable } from "../regions/table.ts";
import type { Hold } from "../routing/hold.ts";
import type { View } from "../routing/region.ts";
import type { Exchange } from "./exchange.ts";
import type { Soon } from "./soon.ts";

/** For how long, and how often, it is asked when a region has said that it is the writer no more: so there is news. */
const MOVED_WITHIN_MS = 3_000;
const ASK_AGAIN_MS = 100;
/** How long a request waits for news of the write region before it is decided by what is known. */
const NEWS_WITHIN_MS = 500;

export interface TopologyNewsParts {
  readonly clock: Clock;
  readonly table: Pick<RegionTable, "view" | "stalledAtMs">;
  readonly topology: Pick<TopologyStore, "refresh">;
}

/** Where writes go by now, for requests of an edge that may be behind, or while the write region moves. */
export class TopologyNews {
  readonly #parts: TopologyNewsParts;
  /** When the last question was put whose answer was waited for. */
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: TopologyNewsParts) {
    this.#parts = parts;
  }

  /**
   * What to decide a request by. This edge may be behind: the write region is being moved, so the next epoch may have
   * begun, or this client has written in one that is not known here, or others have gone on while this process stood still.
   */
  viewFor({ reading }: Exchange): Soon<View> {
    const { view } = this.#parts.table;
    const writtenIn = reading.token?.epoch ?? 0;
    const isBehind = view.moving || writtenIn > view.epoch || this.#hasStoodStill;
    return isBehind && reading.facts.intent !== "static" ? this.#newView(writtenIn) : view;
  }

  /** A newer view than this one, if the user has written in an epoch that is newer, as the pin store tells; else null. */
  viewBeyond({ epoch }: View, hold: Hold | null): Promise<View> | null {
    if (hold === null) return null;
    const writtenIn = Math.max(0, ...hold.positions.map((position) => position.epoch));
    return writtenIn > epoch ? this.#newView(writtenIn) : null;
  }

  /** Asks where writes go by now. Resolves to whether the fleet's memory has said it in time. */
  ask(): Promise<boolean> {
    const patience = sleep(NEWS_WITHIN_MS, false, { ref: false });
    return Promise.race([this.#parts.topology.refresh(), patience]);
  }

  /**
   * The same when a region has said that it is the writer no more: an edge that cannot be told now where writes go, because it was
   * stopped for a while or Redis is away for a moment, may be told soon.
   */
  async askAgain(waitMs: number): Promise<boolean> {
    const endAtMs = performance.now() + Math.min(waitMs, MOVED_WITHIN_MS);
    while (!(await this.ask())) {
      if (performance.now() >= endAtMs) return false;
      await sleep(ASK_AGAIN_MS);
    }
    return true;
  }

  /** What this edge knows is as old as its sleep; its clock is the first to tell, before a timer or a probe. */
  get #hasStoodStill(): boolean {
    return this.#parts.table.stalledAtMs > this.#askedAtMs;
  }

  /**
   * The view after news. When there is none, a write in a newer epoch proves that another region may be the writer by now:
   * then nobody here knows which.
   */
  async #newView(writtenIn: number): Promise<View> {
    const { clock, table } = this.#parts;
    const askedAtMs = clock.now();
    const isNew = await (this.#hasStoodStill ? this.askAgain(MOVED_WITHIN_MS) : this.ask());
    this.#askedAtMs = Math.max(this.#askedAtMs, askedAtMs);
    const { view } = table;
    return isNew || writtenIn <= view.epoch ? view : { ...view, writeRegion: null };
  }
}
