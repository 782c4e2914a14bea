import type { Clock } from "../clock.ts";
import type { Config, RegionConfig } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import type { EventBus } from "../events.ts";
import { type RankState, rank, rerank } from "../routing/rank.ts";
import type { Region, View } from "../routing/region.ts";
import { balance } from "./balance.ts";
import { BlackHole } from "./black-hole.ts";
import { type Endpoint, EndpointState } from "./endpoint.ts";
import { type KnownEndpoint, received, sent } from "./known.ts";
import { names } from "./lookup.ts";
import type { RequestPool } from "./pool.ts";
import { type ProbeOutcome, passed, wasNotMade } from "./probe.ts";
import { type Fence, RegionState } from "./region-state.ts";
import { type RegionStatus, regionStatus } from "./status.ts";
import type { OperatorAdmission, RehearsedLoss } from "./summary.ts";
import { transportOf } from "./transport.ts";
import { sameView, sameWrites, viewOf, type WriteState, writeRegionOf } from "./view.ts";

export type { Endpoint } from "./endpoint.ts";
export type { EndpointStatus, RegionStatus } from "./status.ts";
export type { OperatorAdmission, RehearsedLoss } from "./summary.ts";

/** How often somebody has to call {@link RegionTable.beat}. */
export const BEAT_MS = 250;

/** Beats this far apart mean that the process was stopped or blocked, not that the beat was skipped. */
const STALL_MS = 4 * BEAT_MS;

/** From the pick of an endpoint to the dispatch; a write may wait for its pin in between. */
const LINGER_MS = 1_000;

const NOBODY_WRITES: WriteState = {
  writeRegion: null,
  epoch: 1,
  moving: false,
  vouched: false,
  promotions: [],
};

const NONE: View["promotions"] = [];

const NOTHING_KNOWN: View = { regions: [], byId: new Map(), nearest: [], ...NOBODY_WRITES };

/** The write region as the fleet has it; the part of it that the table follows. */
export interface WriteTopology {
  readonly epoch: number;
  readonly writer: string | null;
  readonly mode: "rw" | "ro";
  readonly promotions: View["promotions"];
}

/**
 * The sole owner of what changes per region and endpoint: health, latency, lag, admission, requests in
 * flight, connections. Whatever a decision can see of it is published as one immutable {@link View},
 * replaced whole, so a request that takes it once cannot see half a change.
 */
export class RegionTable {
  /** What this edge cannot reach. */
  readonly blackHole = new BlackHole();
  readonly #clock: Clock;
  readonly #events: EventBus;
  readonly #retiredPools = new Set<RequestPool>();
  #config: Config;
  #regions: ReadonlyMap<string, RegionState> = new Map();
  #admissions: ReadonlyMap<string, OperatorAdmission> = new Map();
  /** Null until somebody has said: then the file has the word. */
  #writes: WriteState | null = null;
  #isVouched = false;
  #drill: RehearsedLoss | null = null;
  /** When this edge heard of the present epoch, or began. */
  #epochSinceMs = 0;
  #rank: RankState = rank([]);
  #view: View = NOTHING_KNOWN;
  #suspect: (endpoint: EndpointState) => void = () => {};
  #beatMs: number | null = null;
  #stalledMs = Number.NEGATIVE_INFINITY;
  readonly #unlisten: () => void;

  constructor(config: Config, parts: { readonly clock: Clock; readonly events: EventBus }) {
    this.#clock = parts.clock;
    this.#events = parts.events;
    this.#config = config;
    this.#unlisten = names.onFailure((failure) => this.#events.emit("nameFailed", failure));
    this.configure(config);
  }

  get view(): View {
    return this.#view;
  }

  get endpoints(): readonly EndpointState[] {
    return [...this.#regions.values()].flatMap((region) => region.endpoints);
  }

  /** Whom to ask for a probe at once when a request to an endpoint has failed. One listener: the prober. */
  onSuspect(listener: (endpoint: EndpointState) => void): void {
    this.#suspect = listener;
  }

  /**
   * Applies a configuration. Regions and endpoints that it keeps keep everything; changed connection
   * settings replace an endpoint's pool, and the old pool, like that of a removed endpoint, closes when
   * its requests have ended. New endpoints are unknown, so not served, until their first probe.
   */
  configure(config: Config): void {
    const [before, endpointsBefore] = [this.#regions, this.endpoints];
    this.#config = config;
    const entries = Object.entries(config.regions);
    this.#regions = new Map(
      entries.map(([id, region]) => [id, this.#regionState(id, region, before.get(id))]),
    );
    const kept = new Set(this.endpoints);
    for (const endpoint of endpointsBefore) {
      if (!kept.has(endpoint)) this.#retire(endpoint.dispatcher);
    }
    this.#look("configuration");
  }

  /**
   * An endpoint of the region for one request, or null when all are in `avoid`. See {@link balance}.
   *
   * @param chance uniform in [0, 1)
   */
  pick(regionId: string, avoid: ReadonlySet<Endpoint>, chance: () => number): Endpoint | null {
    return balance(this.#regions.get(regionId)?.endpoints ?? [], avoid, chance);
  }

  /** A request or tunnel goes to the endpoint; call {@link finished} exactly once for it. */
  started(endpoint: Endpoint): void {
    if (endpoint instanceof EndpointState) endpoint.requestsInFlight += 1;
  }

  finished(endpoint: Endpoint): void {
    if (endpoint instanceof EndpointState) endpoint.requestsInFlight -= 1;
  }

  /** The endpoint answered a request with any response head at all. */
  succeeded(endpoint: Endpoint): void {
    if (endpoint instanceof EndpointState) endpoint.succeeded();
  }

  /**
   * A request to the endpoint failed. Asks for a probe at once; five in a row within 10 s take it out of
   * service until it has passed its probes, unless this process itself has just slept. One with `counts`
   * false is none of the five: an application that refuses an upload by a reset is not ill.
   */
  failed(
    endpoint: Endpoint,
    fault: Fault,
    { counts }: { readonly counts: boolean } = { counts: true },
  ): void {
    if (!(endpoint instanceof EndpointState)) return;
    const nowMs = this.#clock.now();
    if (counts && !this.#hasStalled(nowMs) && endpoint.failed(fault, nowMs)) {
      const { region, origin } = endpoint;
      this.#events.emit("endpointEjected", { region, endpoint: origin, cause: fault });
      this.#look(`${origin}: requests failed in a row: ${fault}`);
    }
    this.#suspect(endpoint);
  }

  /**
   * Counts a probe of one of the {@link endpoints}; `startedMs` is when it was begun. One that this process had no
   * descriptor for says nothing of the endpoint.
   */
  probed(endpoint: EndpointState, outcome: ProbeOutcome, startedMs = this.#clock.now()): void {
    const { region, origin } = endpoint;
    const { result, roundTripMs, cause } = outcome;
    if (wasNotMade(outcome)) {
      this.#events.emit("warned", { what: "probe not made", detail: `${origin}: ${cause}` });
      return;
    }
    const times = { startedMs, nowMs: this.#clock.now(), wallMs: this.#clock.wall() };
    endpoint.probed(outcome, this.#config.health, times);
    try {
      this.#events.emit("probed", { region, endpoint: origin, result, roundTripMs, cause });
    } finally {
      const said = passed(outcome) ? result : `${result}: ${cause}`;
      this.#look(`${origin}: probe: ${said}`, this.#regions.get(region));
    }
  }

  /**
   * What is known of the endpoints, or of one, for the table of another process of this machine, where nobody probes:
   * it {@link learn}s.
   */
  known(region?: string, origin?: string): readonly KnownEndpoint[] {
    return this.endpoints
      .filter((each) => (region ?? each.region) === each.region && (origin ?? each.origin) === each.origin)
      .map((each) => sent({ region: each.region, origin: each.origin, ...each.known }));
  }

  learn(known: readonly KnownEndpoint[]): void {
    for (const each of known) this.#find(each.region, each.origin)?.learn(received(each));
    this.#look("probes of the edge");
  }

  /** Requests of another process have failed such that it has ended the endpoint's service. */
  eject(region: string, origin: string, cause: string): void {
    if (this.#find(region, origin)?.eject(this.#clock.now()) !== true) return;
    this.#events.emit("endpointEjected", { region, endpoint: origin, cause });
    this.#look(`${origin}: requests failed in a row: ${cause}`);
  }

  /** A request of another process has failed: see {@link onSuspect}. */
  suspect(region: string, origin: string): void {
    const endpoint = this.#find(region, origin);
    if (endpoint !== undefined) this.#suspect(endpoint);
  }

  /** Where other processes forward: what they have in flight. */
  setInFlight(requests: (region: string, origin: string) => number): void {
    for (const each of this.endpoints) each.requestsInFlight = requests(each.region, each.origin);
  }

  /** A bug of ours was met while an endpoint was probed; its probes go on. */
  probeBroke(error: unknown): void {
    const told = error instanceof Error ? error : new Error(String(error));
    this.#events.emit("failed", { where: "probe", error: told });
  }

  /** What operators have said, for every region they have spoken of; replaces what was set before. */
  setAdmissions(admissions: ReadonlyMap<string, OperatorAdmission>): void {
    this.#admissions = admissions;
    this.#look("admission");
  }

  /** The region whose loss is rehearsed, and how; null: none. Replaces what was set before. */
  setDrill(drill: RehearsedLoss | null): void {
    this.#drill = drill;
    if (drill?.kind === "black-hole") this.blackHole.open(drill.region);
    else this.blackHole.close();
    this.#look("drill");
  }

  /** Which region takes writes; replaces what was set before. */
  setTopology({ epoch, writer, mode, promotions }: WriteTopology): void {
    if (epoch !== this.#view.epoch) this.#epochSinceMs = this.#clock.now();
    this.#writes = { epoch, writeRegion: writer, moving: mode === "ro", vouched: false, promotions };
    this.#look("topology");
  }

  /** Whether most edges of the fleet see the write region up. */
  setVouched(vouched: boolean): void {
    if (vouched === this.#isVouched) return;
    this.#isVouched = vouched;
    this.#look("quorum");
  }

  /** Notices what only time changes: deadlines, slow start, dwells. Called every {@link BEAT_MS}. */
  beat(): void {
    const nowMs = this.#clock.now();
    if (this.#isBeatLate(nowMs)) this.#stalledMs = nowMs;
    this.#beatMs = nowMs;
    this.#look("time");
  }

  /** When this process was last seen to have been stopped or blocked, by the clock that it was given; now, before a beat has noticed. */
  get stalledAtMs(): number {
    const nowMs = this.#clock.now();
    return this.#isBeatLate(nowMs) ? nowMs : this.#stalledMs;
  }

  /** For `GET /v1/regions`; in the order of the configuration. */
  status(): readonly RegionStatus[] {
    return [...this.#regions.values()].map(regionStatus);
  }

  /** Cuts every connection, in use or not. For the very end, when requests have been let finish. */
  async close(): Promise<void> {
    this.#unlisten();
    const pools = [...this.endpoints.map(({ dispatcher }) => dispatcher), ...this.#retiredPools];
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #find(region: string, origin: string): EndpointState | undefined {
    return this.#regions.get(region)?.endpoints.find((each) => each.origin === origin);
  }

  #regionState(id: string, config: RegionConfig, before: RegionState | undefined): RegionState {
    const origins = [...new Set(config.endpoints)];
    const known = new Map(before?.endpoints.map((endpoint) => [endpoint.origin, endpoint]));
    const endpoints = origins.map((origin) => this.#endpointState(origin, id, config, known.get(origin)));
    if (before === undefined) return new RegionState(id, config, endpoints);
    before.configure(config, endpoints);
    return before;
  }

  #endpointState(
    origin: string,
    region: string,
    config: RegionConfig,
    known: EndpointState | undefined,
  ): EndpointState {
    const transport = transportOf(origin, config);
    if (known === undefined) return new EndpointState(origin, region, transport, this.#config.proxy);
    const replaced = known.configure(transport, this.#config.proxy);
    if (replaced !== null) this.#retire(replaced);
    return known;
  }

  /**
   * Closes a pool once its requests have ended, and not before whoever has picked its endpoint has had the
   * time to send: a closed pool takes no request. {@link close} does not wait for that.
   */
  #retire(pool: RequestPool): void {
    this.#retiredPools.add(pool);
    const forget = (): void => {
      this.#retiredPools.delete(pool);
    };
    setTimeout(() => pool.close().then(forget, forget), LINGER_MS).unref();
  }

  /** Timers of failed requests may run before the beat after a sleep, so a beat that is late now counts too. */
  #hasStalled(nowMs: number): boolean {
    return this.#isBeatLate(nowMs) || nowMs - this.#stalledMs < STALL_MS;
  }

  #isBeatLate(nowMs: number): boolean {
    return this.#beatMs !== null && nowMs - this.#beatMs > STALL_MS;
  }

  /**
   * Looks at every region anew, or at the one that there is news of, and publishes a view if a decision could tell it from the
   * present one.
   */
  #look(cause: string, only?: RegionState): void {
    const now = { nowMs: this.#clock.now(), wallMs: this.#clock.wall() };
    const states = [...this.#regions.values()];
    const writes = this.#writesAt(now.nowMs);
    for (const state of only === undefined ? states : [only]) {
      const fence = fenceFor(state.id, writes, this.#epochSinceMs);
      const drill = this.#drill?.region === state.id ? this.#drill : null;
      const rules = { slowStartMs: this.#config.routing.slowStart, fence, drill };
      state.look(this.#admissions.get(state.id), rules, now);
    }
    // Who overtakes whom is a matter of dwells, so between two beats one probe needs no ranking of them all.
    if (only === undefined || this.#beatMs === null) this.#rank = this.#ranked(states, now.nowMs);
    const regions = states.map(({ seen }) => seen);
    const before = this.#view;
    const view = viewOf(regions, this.#rank.order, writes);
    if (sameView(before, view)) return;
    this.#view = view;
    if (before !== NOTHING_KNOWN && !sameWrites(before, view)) {
      const { epoch, writeRegion, moving } = view;
      this.#events.emit("epochChanged", { epoch, writeRegion, moving, from: before.writeRegion });
    }
    for (const state of states) this.#tell(before.byId.get(state.id), state, cause);
    this.#events.emit("viewChanged", { view });
  }

  /** Promotions matter for as long as a pin of the epoch before may live: an intent that became the longest pin. */
  #writesAt(nowMs: number): WriteState {
    const said = this.#writes ?? { ...NOBODY_WRITES, writeRegion: writeRegionOf(this.#config) };
    const writes = { ...said, vouched: this.#isVouched };
    const { proxy, consistency } = this.#config;
    const livesMs = proxy.responseTimeout + consistency.graceWindow + consistency.maxPin;
    return nowMs - this.#epochSinceMs > livesMs ? { ...writes, promotions: NONE } : writes;
  }

  /** Before the first beat, that is during the first round of probes, there is no order to steady yet. */
  #ranked(states: readonly RegionState[], nowMs: number): RankState {
    const measured = states.map(({ id, latencyMs }) => ({ id, latencyMs }));
    if (this.#beatMs === null) return rank(measured);
    const { window, percent, dwell } = this.#config.routing.nearness;
    return rerank(this.#rank, measured, { windowMs: window, percent, dwellMs: dwell }, nowMs);
  }

  #tell(before: Region | undefined, { id, seen, admission }: RegionState, cause: string): void {
    const from = before ?? { health: "unknown", admission: "open" };
    if (seen.health !== from.health) {
      this.#events.emit("healthChanged", { region: id, from: from.health, to: seen.health, cause });
    }
    if (seen.fenced !== (before?.fenced ?? false))
      this.#events.emit("fenceChanged", { region: id, fenced: seen.fenced });
    if (seen.admission !== from.admission) {
      const { by, why } = admission;
      this.#events.emit("admissionChanged", {
        region: id,
        from: from.admission,
        to: seen.admission,
        by,
        why,
      });
    }
  }
}

/** What a region that is not the write region may not say any more; null where there are several. */
function fenceFor(id: string, { writeRegion, epoch }: WriteState, sinceMs: number): Fence | null {
  return writeRegion === null || writeRegion === id ? null : { epoch, sinceMs };
}
