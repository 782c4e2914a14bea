import type { Position } from "./position.ts";

/** What a region is to the application. `standby` serves only when nothing better is up. */
export type Role = "writer" | "replica" | "standby";

/** What probes and traffic say. Never mixed with {@link Admission}, which is what the operator says. */
export type Health = "unknown" | "up" | "degraded" | "down";

/** What the operator says: `draining` takes no new sessions, `closed` takes nothing. */
export type Admission = "open" | "draining" | "closed";

/** One region as a decision sees it. */
export interface Region {
  readonly id: string;
  readonly role: Role;
  readonly jurisdiction: string | null;
  /** Relative share under the `weighted` policy. */
  readonly weight: number;
  readonly health: Health;
  readonly admission: Admission;
  /** Smoothed probe round trip; null until one was measured, and unmeasured is not near. */
  readonly latencyMs: number | null;
  /** Replication lag as the region reports it; null when it does not report one. */
  readonly lagMs: number | null;
  /** Up to where every node in service has applied the write log, in the epoch that it reports; null when unknown. */
  readonly applied: Position | null;
  /** Whether it says that it takes writes, all of its nodes in service; null when they do not say, or differ. */
  readonly writer: boolean | null;
  /** Whether it takes writes of an epoch that is over: nobody may be sent there before it has learnt better. */
  readonly fenced: boolean;
  /** Share of its traffic a region takes while it comes back (slow start), 0 to 1. */
  readonly warmth: number;
}

/** Everything a decision knows of the world, replaced whole on every change. */
export interface View {
  /** In the order of the configuration file. */
  readonly regions: readonly Region[];
  readonly byId: ReadonlyMap<string, Region>;
  /** Nearest first, already steadied by the nearness window and the dwell. */
  readonly nearest: readonly Region[];
  /** The region that takes writes under `single-writer`; null under `multi-writer`. */
  readonly writeRegion: string | null;
  readonly epoch: number;
  /** Whether most edges of the fleet see the write region up: then writes go there, though this one sees it down. */
  readonly vouched: boolean;
  /** Whether the write region is being moved: reads go on, writes are not taken. */
  readonly moving: boolean;
  /**
   * Where the epochs after the first began, oldest first, as far as they are known, while pins of the epochs before may
   * be alive.
   */
  readonly promotions: readonly Position[];
}
