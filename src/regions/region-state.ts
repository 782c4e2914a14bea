import type { RegionConfig } from "../config/schema.ts";
import type { Position } from "../routing/position.ts";
import type { Health, Region, Role } from "../routing/region.ts";
import { warmth } from "../routing/slow-start.ts";
import type { EndpointState } from "./endpoint.ts";
import {
  duringDrill,
  type EffectiveAdmission,
  effectiveAdmission,
  type OperatorAdmission,
  type RehearsedLoss,
  regionApplied,
  regionHealth,
  regionLag,
  regionLatency,
  regionWriter,
} from "./summary.ts";

/** The times a region is looked at with. */
export interface Now {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** An epoch, and since when this edge knows of it. */
export interface Fence {
  readonly epoch: number;
  readonly sinceMs: number;
}

/** What a region is looked at by. */
export interface LookRules {
  readonly slowStartMs: number;
  /** For a region that is not the write region; else null. */
  readonly fence: Fence | null;
  /** Of this region; else null. */
  readonly drill: RehearsedLoss | null;
}

/** A latency in a view is replaced when it is off by this much; the ranking uses the exact one. */
const LATENCY_STEP_MS = 1;
const LATENCY_STEP_SHARE = 0.05;

/** A lag in a view is rounded up to this: it may be thought worse than it is, never better. */
const LAG_STEP_MS = 10;

/** One region of the table: its endpoints, and what decisions see of them as a whole. */
export class RegionState {
  readonly id: string;
  endpoints: readonly EndpointState[];
  seen: Region;
  admission: EffectiveAdmission = { state: "open", by: "region", why: "" };
  #config: RegionConfig;
  /** When it came back from being down; null when it never was, or is. */
  #backSinceMs: number | null = null;

  constructor(id: string, config: RegionConfig, endpoints: readonly EndpointState[]) {
    this.id = id;
    this.endpoints = endpoints;
    this.#config = config;
    this.seen = {
      id,
      ...described(config),
      health: "unknown",
      admission: "open",
      latencyMs: null,
      lagMs: null,
      applied: null,
      writer: null,
      fenced: false,
      warmth: 1,
    };
  }

  get role(): Role {
    return this.#config.role;
  }

  /** Exact, for the ranking. */
  get latencyMs(): number | null {
    return regionLatency(this.endpoints);
  }

  get lagMs(): number | null {
    return regionLag(this.endpoints);
  }

  configure(config: RegionConfig, endpoints: readonly EndpointState[]): void {
    this.#config = config;
    this.endpoints = endpoints;
  }

  /** Looks at the region anew. `seen` stays the same object unless a decision could tell the difference. */
  look(
    operator: OperatorAdmission | undefined,
    { slowStartMs, fence, drill }: LookRules,
    { nowMs, wallMs }: Now,
  ): void {
    const health = regionHealth(this.endpoints);
    this.#noteReturn(this.seen.health, health, nowMs);
    this.admission = duringDrill(effectiveAdmission(operator, this.endpoints, wallMs), drill);
    const next: Region = {
      id: this.id,
      ...described(this.#config),
      health,
      admission: this.admission.state,
      latencyMs: steadyLatency(this.seen.latencyMs, this.latencyMs),
      lagMs: steppedLag(this.lagMs),
      applied: samePosition(this.seen.applied, regionApplied(this.endpoints)),
      writer: regionWriter(this.endpoints),
      fenced: fence !== null && this.endpoints.some((endpoint) => endpoint.claims(fence)),
      warmth: warmth(this.#backSinceMs, nowMs, slowStartMs),
    };
    if (!sameRegion(this.seen, next)) this.seen = next;
  }

  #noteReturn(from: Health, to: Health, nowMs: number): void {
    if (to === "down" || to === "unknown") this.#backSinceMs = null;
    else if (from === "down") this.#backSinceMs = nowMs;
  }
}

function described({
  role,
  jurisdiction,
  weight,
}: RegionConfig): Pick<Region, "role" | "jurisdiction" | "weight"> {
  return { role, jurisdiction: jurisdiction ?? null, weight };
}

function steadyLatency(seenMs: number | null, exactMs: number | null): number | null {
  if (seenMs === null || exactMs === null) return exactMs;
  const toleratedMs = Math.max(LATENCY_STEP_MS, seenMs * LATENCY_STEP_SHARE);
  return Math.abs(exactMs - seenMs) > toleratedMs ? exactMs : seenMs;
}

function steppedLag(lagMs: number | null): number | null {
  return lagMs === null ? null : Math.ceil(lagMs / LAG_STEP_MS) * LAG_STEP_MS;
}

/** The position seen before when it is the same, so that a view is not replaced for nothing. */
function samePosition(seen: Position | null, now: Position | null): Position | null {
  return seen !== null && seen.epoch === now?.epoch && seen.at === now.at ? seen : now;
}

function sameRegion(a: Region, b: Region): boolean {
  const keys = Object.keys(b) as (keyof Region)[];
  return keys.every((key) => a[key] === b[key]);
}
