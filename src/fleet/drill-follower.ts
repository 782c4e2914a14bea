import type { EventBus, RequestRecord } from "../events.ts";
import { type Drill, isInForce } from "./drill.ts";
import type { EdgeDrill } from "./drill-report.ts";
import type { DrillStore } from "./drill-store.ts";
import { DrillTally } from "./drill-tally.ts";
import type { SharedHash } from "./shared-hash.ts";

/** An edge that heard of it later than this was not there when it began. */
const LATE_AFTER_MS = 3_000;

export interface DrillFollowerParts {
  readonly events: EventBus;
  readonly hash: SharedHash;
  readonly store: DrillStore;
  /** Makes this edge behave as if the region were lost; null: no more. */
  readonly rehearse: (drill: Pick<Drill, "region" | "kind" | "reason"> | null) => void;
}

interface Followed {
  readonly drill: Drill;
  readonly tally: DrillTally;
  /** Stops measuring. */
  readonly stop: () => void;
  over: boolean;
}

/**
 * A drill at one edge: in force as long as it is supervised, and measured. The lease that the edge has last heard of decides, so one
 * that hears nothing any more ends it by itself; and what it has ended it does not begin again.
 */
export class DrillFollower {
  readonly #parts: DrillFollowerParts;
  #followed: Followed | null = null;

  constructor(parts: DrillFollowerParts) {
    this.#parts = parts;
  }

  /** What this edge says of the drill that it follows, or has followed last. */
  get said(): EdgeDrill | null {
    if (this.#followed === null) return null;
    const { drill, tally, over } = this.#followed;
    return { id: drill.id, over, ...tally.measures };
  }

  /** Begins and ends what is due here. */
  look(): void {
    const { hash, store } = this.#parts;
    const { drill } = store.get();
    const nowMs = hash.nowMs();
    const on = drill !== null && isInForce(drill, nowMs) ? drill : null;
    if (this.#followed !== null && this.#followed.drill.id !== on?.id) this.#end(this.#followed);
    if (on !== null && this.#followed?.drill.id !== on.id) this.#begin(on, nowMs);
  }

  close(): void {
    if (this.#followed !== null) this.#end(this.#followed);
  }

  #begin(drill: Drill, nowMs: number): void {
    const followedMs = Math.max(Math.round(nowMs - drill.sinceMs), 0);
    const tally = new DrillTally(drill, { followedMs, isLate: followedMs > LATE_AFTER_MS });
    this.#followed = { drill, tally, stop: this.#measure(drill, tally), over: false };
    this.#parts.rehearse(drill);
  }

  #end(followed: Followed): void {
    if (followed.over) return;
    followed.over = true;
    followed.stop();
    this.#parts.rehearse(null);
    // Whoever writes the report waits for what this edge has measured.
    void this.#parts.hash.refresh();
  }

  #measure({ region, sinceMs }: Drill, tally: DrillTally): () => void {
    const { events, hash } = this.#parts;
    const atMs = () => Math.round(hash.nowMs() - sinceMs);
    const request = (record: RequestRecord) => tally.request(record, atMs());
    const health = (change: { readonly region: string; readonly to: string }) => {
      if (change.region === region && change.to === "down") tally.down(atMs());
    };
    events.on("requestDone", request);
    events.on("healthChanged", health);
    return () => {
      events.off("requestDone", request);
      events.off("healthChanged", health);
    };
  }
}
