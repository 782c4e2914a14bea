import { isDeepStrictEqual } from "node:util";
import { FAULTS, type Fault } from "../errors.ts";
import { DOWN, damped, type HealthState, observe, type Thresholds, UNOBSERVED } from "../routing/health.ts";
import { blend, type LatencyEstimate } from "../routing/latency.ts";
import { laterPosition, type Position } from "../routing/position.ts";
import type { Health } from "../routing/region.ts";
import { type Reported, SILENT } from "./answer.ts";
import type { Known, ReportedLag } from "./known.ts";
import { createPool, type PoolSettings, type RequestPool, samePool } from "./pool.ts";
import { type ProbeOutcome, passed } from "./probe.ts";
import type { Transport } from "./transport.ts";

/** One address of a region, as whoever sends it requests sees it. */
export interface Endpoint {
  /** `http://10.0.0.1:8080`. */
  readonly origin: string;
  /** The region's id. */
  readonly region: string;
  /** How it is spoken to. */
  readonly transport: Transport;
  /** Read it anew for every dispatch: a reload may replace it. */
  readonly dispatcher: RequestPool;
  readonly requestsInFlight: number;
  readonly health: Health;
  /** It asked for no new sessions. */
  readonly draining: boolean;
}

/** What happened to a probe, and when by the wall clock. */
export interface LastProbe {
  readonly result: ProbeOutcome["result"];
  readonly cause: string | null;
  readonly atWallMs: number;
}

/** When a probe was begun and ended, monotonic, and by the wall clock. */
export interface ProbeTimes {
  readonly startedMs: number;
  readonly nowMs: number;
  readonly wallMs: number;
}

/** This many failures in a row, the first and the last at most so far apart, end an endpoint's service. */
const EJECT_AFTER = 5;
const EJECT_WITHIN_MS = 10_000;

/** A fall longer ago is no sign of flapping. */
const FALL_REMEMBERED_MS = 60_000;

/** Everything that changes about one endpoint. Owned by the region table; nobody else writes it. */
export class EndpointState implements Endpoint {
  readonly origin: string;
  readonly region: string;
  requestsInFlight = 0;
  lastProbe: LastProbe | null = null;
  #pool: RequestPool;
  #poolSettings: PoolSettings;
  #transport: Transport;
  #state: HealthState = UNOBSERVED;
  #estimate: LatencyEstimate | null = null;
  #reported: Reported = SILENT;
  /** The last lag that it reported and when; null when it never did. */
  #lastLag: ReportedLag | null = null;
  #lagMs: number | null = null;
  #applied: Position | null = null;
  /** The furthest it has ever been in the newest epoch that it has reported. */
  #furthest: Position | null = null;
  /** When the last probe that passed was begun. */
  #heardSinceMs = Number.NEGATIVE_INFINITY;
  /** Monotonic times of the failed requests since the last that was answered, at most the last five. */
  #failuresMs: number[] = [];
  /** Monotonic times at which it went down. */
  #fallsMs: number[] = [];

  constructor(origin: string, region: string, transport: Transport, settings: PoolSettings) {
    this.origin = origin;
    this.region = region;
    this.#transport = transport;
    this.#poolSettings = settings;
    this.#pool = createPool(transport, settings);
  }

  get transport(): Transport {
    return this.#transport;
  }

  get dispatcher(): RequestPool {
    return this.#pool;
  }

  /** `degraded` is the endpoint's own word and counts at once; going up and down takes several probes. */
  get health(): Health {
    const degraded = this.#state.health === "up" && this.#reported.status === "degraded";
    return degraded ? "degraded" : this.#state.health;
  }

  get serving(): boolean {
    return this.#state.health === "up";
  }

  get draining(): boolean {
    return this.#reported.status === "drain";
  }

  /** Its probes have begun to contradict its health, or there were none yet. */
  get changing(): boolean {
    return this.#state.health === "unknown" || this.#state.contrary > 0;
  }

  get latencyMs(): number | null {
    return this.#estimate?.latencyMs ?? null;
  }

  get reported(): Reported {
    return this.#reported;
  }

  /**
   * Its lag, at most; null when it never reported one. A lag grows no faster than time passes, so when a
   * probe fails, or the answer leaves it out all of a sudden, the last one reported plus the time since
   * then still bounds it. A replica whose replication is broken often has no lag to tell.
   */
  get lagMs(): number | null {
    return this.#lagMs;
  }

  /** Up to where it has applied the write log; null while it does not say, and when it has gone back within an epoch. */
  get applied(): Position | null {
    return this.#applied;
  }

  /**
   * Whether it says that it takes writes of an epoch before this one, and has been asked since this edge knows of it: its
   * database has not learnt that another one was promoted.
   */
  claims({ epoch, sinceMs }: { readonly epoch: number; readonly sinceMs: number }): boolean {
    const said = this.#reported;
    const isPast = said.writer === true && said.epoch !== null && said.epoch < epoch;
    return isPast && this.serving && this.#heardSinceMs > sinceMs;
  }

  get failuresInARow(): number {
    return this.#failuresMs.length;
  }

  /** Counts a probe's outcome: health, latency, and what was said. */
  probed(outcome: ProbeOutcome, thresholds: Thresholds, { startedMs, nowMs, wallMs }: ProbeTimes): void {
    const { result, cause, reported, roundTripMs } = outcome;
    this.lastProbe = { result, cause, atWallMs: wallMs };
    const before = this.#state.health;
    this.#state = observe(this.#state, passed(outcome), damped(thresholds, this.#recentFalls(nowMs)));
    if (before === "up" && this.#state.health === "down") this.#fallsMs.push(nowMs);
    if (passed(outcome)) this.#heard(reported, nowMs);
    if (passed(outcome)) this.#heardSinceMs = startedMs;
    if (this.#lastLag !== null) this.#lagMs = this.#lastLag.lagMs + (nowMs - this.#lastLag.atMs);
    if (roundTripMs !== null) this.#estimate = blend(this.#estimate, roundTripMs, nowMs);
  }

  /** Any response head, whatever its status, shows that the endpoint answers. */
  succeeded(): void {
    if (this.#failuresMs.length > 0) this.#failuresMs = [];
  }

  /**
   * Counts a failed request, if the fault is the region's. Returns whether that ends its service: it is down
   * now and was not before.
   */
  failed(fault: Fault, nowMs: number): boolean {
    if (FAULTS[fault].owner !== "region") return false;
    this.#failuresMs = [...this.#failuresMs, nowMs].slice(-EJECT_AFTER);
    const [firstMs = nowMs] = this.#failuresMs;
    const tooMany = this.#failuresMs.length === EJECT_AFTER && nowMs - firstMs <= EJECT_WITHIN_MS;
    return tooMany && this.eject(nowMs);
  }

  /** Ends its service until it has passed its probes. Returns whether it was in service. */
  eject(nowMs: number): boolean {
    if (this.#state.health === "down") return false;
    this.#state = DOWN;
    this.#fallsMs.push(nowMs);
    this.#failuresMs = [];
    return true;
  }

  /** What another process of this machine may {@link learn}. */
  get known(): Known {
    return {
      state: this.#state,
      estimate: this.#estimate,
      reported: this.#reported,
      lastLag: this.#lastLag,
      lagMs: this.#lagMs,
      applied: this.#applied,
      furthest: this.#furthest,
      heardSinceMs: this.#heardSinceMs,
      fallsMs: this.#fallsMs,
      lastProbe: this.lastProbe,
    };
  }

  /** Takes what is known elsewhere for its own. What it has seen of requests that failed stays, until they have ejected it. */
  learn(known: Known): void {
    if (this.#state.health !== "down" && known.state.health === "down") this.#failuresMs = [];
    this.#state = known.state;
    this.#estimate = known.estimate;
    this.#reported = known.reported;
    this.#lastLag = known.lastLag;
    this.#lagMs = known.lagMs;
    this.#applied = known.applied;
    this.#furthest = known.furthest;
    this.#heardSinceMs = known.heardSinceMs;
    this.#fallsMs = [...known.fallsMs];
    this.lastProbe = known.lastProbe;
  }

  /** Applies new settings; returns the pool they replace, to be closed once idle, or null. */
  configure(transport: Transport, settings: PoolSettings): RequestPool | null {
    if (samePool(this.#poolSettings, settings) && isDeepStrictEqual(this.#transport, transport)) return null;
    const replaced = this.#pool;
    this.#transport = transport;
    this.#poolSettings = settings;
    this.#pool = createPool(transport, settings);
    return replaced;
  }

  #heard(reported: Reported, nowMs: number): void {
    this.#reported = reported;
    if (reported.lagMs !== null) this.#lastLag = { lagMs: reported.lagMs, atMs: nowMs };
    const { epoch, applied } = reported;
    const said = epoch === null || applied === null ? null : { epoch, at: applied };
    this.#furthest = laterPosition(this.#furthest, said);
    // What goes back has lost something, and what it has now is not known until it is past where it was.
    this.#applied = said !== null && said === laterPosition(said, this.#furthest) ? said : null;
  }

  #recentFalls(nowMs: number): number {
    this.#fallsMs = this.#fallsMs.filter((fallMs) => nowMs - fallMs < FALL_REMEMBERED_MS);
    return this.#fallsMs.length;
  }
}
