import type { Clock } from "../clock.ts";
import type { CurrentConfig } from "../config/current.ts";
import type { ConfigProblem } from "../config/load.ts";
import type { Pid, PinInspection } from "../consistency/store.ts";
import type { EventBus, OverloadCause, RequestRecord } from "../events.ts";
import type { AdmissionStore } from "../fleet/admissions.ts";
import type { CalendarStatus } from "../fleet/calendar.ts";
import type { Drills } from "../fleet/drills.ts";
import type { KnownEdge, Quorum } from "../fleet/edges.ts";
import type { Move, Wanted } from "../fleet/move.ts";
import type { Moved } from "../fleet/move-run.ts";
import type { Drains } from "../regions/drains.ts";
import type { RegionTable } from "../regions/table.ts";
import type { Traffic } from "../routing/capacity.ts";
import type { DecisionInputs } from "../routing/decision.ts";
import type { Populations } from "../routing/drain-estimate.ts";

/** A request as an operator describes it. Header names in any case. */
export interface DescribedRequest {
  readonly method: string;
  /** Path, with or without a query string. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What the edge says of itself. */
export interface EdgeStatus {
  readonly edge: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  /** `ro` while the write region moves. */
  readonly mode: "rw" | "ro";
  readonly redis: "off" | "up" | "down";
  /** Processes that listen for clients. */
  readonly workers: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reasons: readonly string[];
  /** What there is too little of, so that new connections are refused; empty when they are taken. */
  readonly overload: readonly OverloadCause[];
}

export interface ReloadApplied {
  readonly result: "applied" | "unchanged";
  /** `regions.eu-west.weight: 100 -> 50`; secrets redacted. */
  readonly changes: readonly string[];
  /** Changes in the file that take effect only after a restart. */
  readonly needsRestart: readonly string[];
  readonly warnings: readonly ConfigProblem[];
}

export interface ReloadRejected {
  readonly result: "rejected";
  readonly problems: readonly ConfigProblem[];
}

export type ReloadAnswer = ReloadApplied | ReloadRejected;

/** Everything that the admin API shows or changes. It reaches nothing else. */
export interface AdminParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly config: Pick<CurrentConfig, "get" | "version">;
  readonly table: Pick<RegionTable, "view" | "status">;
  readonly admissions: Pick<AdmissionStore, "get" | "set">;
  /** Rejects with `NotMoved` or `SharedAway`. */
  moveWriteRegion(wanted: Wanted): Promise<Moved>;
  /** The move of the write region that is under way; null when none is. */
  move(): Move | null;
  /** The edges that share the memory of this one, and how many have to agree on the write region. */
  edges(): { readonly edges: readonly KnownEdge[]; readonly quorum: Quorum };
  readonly drills: Pick<Drills, "begin" | "history" | "outlook" | "present" | "soFar" | "stop">;
  /** The calendar. */
  schedule(): CalendarStatus;
  readonly pins: {
    /** Rejects when the store cannot be asked. */
    inspect(pid: Pid): Promise<PinInspection | null>;
    /** Rejects when the store cannot be told. True when there was a pin. */
    release(pid: Pid): Promise<boolean>;
  };
  readonly decisions: {
    get(requestId: string): RequestRecord | null | Promise<RequestRecord | null>;
    /** The latest first. */
    recent(count: number): readonly RequestRecord[] | Promise<readonly RequestRecord[]>;
  };
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  /** What this edge would decide by, were this request to arrive now; asks the pin store when it has to. */
  inputs(request: DescribedRequest): Promise<DecisionInputs>;
  /** Reads the file again; with `dryRun` it only says what would change. Rejects never. */
  reload(options: { readonly dryRun: boolean }): Promise<ReloadAnswer>;
  /** What `validate` warned of in the configuration in force. */
  warnings(): readonly ConfigProblem[];
  readiness(): Readiness;
  status(): EdgeStatus;
  /** Who is at a region now, as far as this edge has seen. */
  there(regionId: string): Populations;
  /** What the fleet sends to its regions, and what they can bear. */
  traffic(): Traffic;
  readonly drains: Pick<Drains, "status" | "forecast">;
  /** The users that an identity stands for, one for each secret; null when no such identity is configured. */
  identityPids(kind: string, value: string): readonly Pid[] | null;
}
