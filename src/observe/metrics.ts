import { Registry } from "prom-client";
import { FAULTS, type Fault } from "../errors.ts";
import type {
  AccessFault,
  ConnectionRefusal,
  DrillOutcome,
  EdgeEvents,
  EventBus,
  OverloadCause,
  RequestRecord,
} from "../events.ts";
import type { Admission, Health, View } from "../routing/region.ts";
import { EventLoopLag } from "./eventloop.ts";
import { createInstruments, type Instruments } from "./instruments.ts";
import { type MetricValues, mergedText } from "./merged-metrics.ts";
import { processMetrics } from "./process.ts";
import { RequestTally } from "./request-tally.ts";

/** What is not counted but looked at, when Prometheus asks. */
export interface Gauges {
  view(): View;
  /** Open WebSocket tunnels by region. */
  tunnels(): ReadonlyMap<string, number>;
  /** Open event streams by region. */
  streams(): ReadonlyMap<string, number>;
  /** Pins that this edge holds itself. */
  pinsActive(): number;
  /** Open connections of clients, by listener. */
  connections(): Readonly<Record<string, number>>;
  /** How many of them there may be. */
  connectionsMost(): number;
  /** What there is too little of. */
  overload(): readonly OverloadCause[];
  /** Requests at a region, and those that wait for it. */
  regionLoad(region: string): { readonly inFlight: number; readonly queued: number };
  pinStorms(): number;
  fleet(): FleetGauges;
  drills(): DrillGauges;
  /** Null without Redis. */
  redisUp(): boolean | null;
  /** How old what is known of other edges' writes is; null when they are not followed. */
  feedAgeMs(): number | null;
  /** When each certificate expires, in Unix milliseconds, by its place in the configuration. */
  certificateExpiries(): ReadonlyMap<string, number>;
  /** Processes that carry requests: how many listen, and how often one was replaced. */
  workers(): { readonly listening: number; readonly restarts: number };
  /** What the other processes of this edge say; left out where there are none. */
  others?: () => Promise<readonly (readonly MetricValues[])[]>;
  /** Log lines lost since the start. */
  logLinesDropped(): number;
}

/** What this edge knows of its fleet. */
export interface FleetGauges {
  readonly liveEdges: number;
  /** Known, and not heard of lately. */
  readonly silentEdges: number;
  /** Since the shared memory was heard; null for a lone edge. */
  readonly ageMs: number | null;
  readonly writesHeld: number;
  readonly writesUnderWay: number;
}

/** What this edge knows of drills. */
export interface DrillGauges {
  /** The region whose loss is rehearsed here; null: none. */
  readonly running: string | null;
  /** By region, of its last drill: when clients felt nothing any more; null when they did to the end. */
  readonly recoveriesMs: ReadonlyMap<string, number | null>;
}

const HEALTHS: readonly Health[] = ["unknown", "up", "degraded", "down"];
const ADMISSIONS: readonly Admission[] = ["open", "draining", "closed"];
const ACCESS_FAULTS: readonly AccessFault[] = [
  "unauthenticated",
  "forbidden",
  "foreign_origin",
  "locked_out",
];
const OVERLOADS: readonly OverloadCause[] = ["event_loop", "memory"];
const REFUSALS: readonly ConnectionRefusal[] = [
  "connections",
  "descriptors",
  "address",
  "proxy_header",
  ...OVERLOADS,
];
const DRILL_RESULTS: readonly DrillOutcome["result"][] = ["passed", "aborted", "stopped", "lost"];
/** How the calendar warns of a window that was not begun. */
const CALENDAR_MISS = /^(drill|maintenance) (missed|refused)$/;
const LAG_QUANTILES = [0.5, 0.99, 1];

const ALL_FAULTS = Object.entries(FAULTS).map(([fault, { owner }]) => ({ fault, owner }));
const HEAD_FAULTS: readonly Fault[] = ["bad_request", "header_too_large", "request_timeout"];
const REGION_FAULTS = ALL_FAULTS.filter(({ owner }) => owner === "region");

/** Counts what the bus says, reads what the gauges say, and renders both for Prometheus. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #instruments: Instruments = createInstruments(this.#registry);
  readonly #tally = new RequestTally();
  readonly #lag = new EventLoopLag();
  readonly #events: EventBus;
  readonly #gauges: Gauges;
  readonly #undo: (() => void)[] = [];
  #droppedSeen = 0;
  #restartsSeen = 0;

  constructor(events: EventBus, gauges: Gauges, info: { readonly version: string; readonly edge: string }) {
    this.#events = events;
    this.#gauges = gauges;
    this.#instruments.buildInfo.set({ ...info, node: process.versions.node }, 1);
    this.#startAtZero();
    this.#listen();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text that Prometheus scrapes. The event loop's lag starts anew after each. */
  async render(): Promise<string> {
    const others = await this.#gauges.others?.();
    if (others !== undefined) return mergedText([await this.values(), ...others]);
    this.#readGauges();
    const [edge, ofProcess] = await Promise.all([this.#registry.metrics(), processMetrics().metrics()]);
    return `${edge}\n${ofProcess}`;
  }

  /** The same as values, to be merged with those of other processes. */
  async values(): Promise<readonly MetricValues[]> {
    this.#readGauges();
    const registries = [this.#registry, processMetrics()];
    return (await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()))).flat();
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
    this.#lag.close();
  }

  /** A rate needs a zero to rise from, so words that are known beforehand are there from the start. */
  #startAtZero(): void {
    const { consistency, affinity, pins, configReloads, retries, faults, adminRefused } = this.#instruments;
    const { headsRefused, connectionsRefused, uncaughtErrors } = this.#instruments;
    for (const { fault, owner } of ALL_FAULTS) faults.inc({ fault, owner, region: "none" }, 0);
    for (const fault of ACCESS_FAULTS) adminRefused.inc({ fault }, 0);
    for (const { fault } of REGION_FAULTS) retries.inc({ reason: fault }, 0);
    for (const cause of REFUSALS) connectionsRefused.inc({ cause }, 0);
    for (const fault of HEAD_FAULTS) headsRefused.inc({ fault }, 0);
    for (const outcome of ["kept", "degraded", "stale", "lost", "cookie-only"])
      consistency.inc({ outcome }, 0);
    for (const result of ["hit", "moved", "new", "kept", "none"]) affinity.inc({ result }, 0);
    for (const action of ["begin", "extend", "end", "cancel", "expire"]) pins.inc({ action }, 0);
    for (const origin of ["uncaughtException", "unhandledRejection"]) uncaughtErrors.inc({ origin }, 0);
    for (const result of ["moved", "given_up"]) this.#instruments.moves.inc({ result }, 0);
    for (const result of ["applied", "unchanged", "rejected"]) configReloads.inc({ result }, 0);
    this.#instruments.reloadSuccessful.set(1);
    for (const kind of ["drill", "maintenance"])
      for (const result of ["missed", "refused"]) this.#instruments.calendarMisses.inc({ kind, result }, 0);
  }

  #listen(): void {
    const to = this.#instruments;
    this.#on("requestDone", (record) => this.#countRequest(record));
    this.#on("connectionRefused", ({ cause }) => to.connectionsRefused.inc({ cause }));
    this.#on("headRefused", ({ fault }) => to.headsRefused.inc({ fault }));
    this.#on("retried", ({ fault }) => to.retries.inc({ reason: fault }));
    this.#on("retryBudgetExhausted", () => to.budgetExhausted.inc());
    this.#on("probed", ({ region, result }) => to.probes.inc({ region, result }));
    this.#on("healthChanged", ({ region, to: health }) => to.healthTransitions.inc({ region, to: health }));
    this.#on("moveEnded", ({ moved, heldMs }) => {
      to.moves.inc({ result: moved ? "moved" : "given_up" });
      to.moveSeconds.observe(heldMs / 1_000);
    });
    this.#on(
      "drillEnded",
      ({ region, result, reportedHere }) => reportedHere && to.drills.inc({ region, result }),
    );
    this.#on("pinned", ({ action }) => to.pins.inc({ action }));
    this.#on("pinLookedUp", ({ durationMs }) => to.pinLookupSeconds.observe(durationMs / 1_000));
    this.#on("pinStoreFailed", ({ op }) => to.pinStoreErrors.inc({ op }));
    this.#on("feedState", ({ behind }) => behind && to.feedBehind.inc());
    this.#on("adminRefused", ({ fault }) => to.adminRefused.inc({ fault }));
    this.#on("lockedOut", () => to.adminLockouts.inc());
    this.#on("nameFailed", () => to.nameFailures.inc());
    this.#on("uncaught", ({ origin }) => to.uncaughtErrors.inc({ origin }));
    this.#on("configReloaded", ({ result }) => {
      to.configReloads.inc({ result });
      to.reloadSuccessful.set(result === "rejected" ? 0 : 1);
    });
    this.#on("warned", ({ what }) => {
      const [, kind, result] = CALENDAR_MISS.exec(what) ?? [];
      if (kind !== undefined && result !== undefined) to.calendarMisses.inc({ kind, result });
    });
  }

  #on<Name extends keyof EdgeEvents>(name: Name, listener: (event: EdgeEvents[Name]) => void): void {
    const events: NodeJS.EventEmitter = this.#events;
    events.on(name, listener);
    this.#undo.push(() => events.off(name, listener));
  }

  #countRequest(record: RequestRecord): void {
    const { requestSeconds, upstreamSeconds, overheadSeconds } = this.#instruments;
    const region = record.region ?? "none";
    this.#tally.count(record);
    if (record.protocol !== "websocket") requestSeconds.observe(region, record.durationMs / 1_000);
    if (record.upstreamMs !== null) upstreamSeconds.observe(region, record.upstreamMs / 1_000);
    if (record.overheadMs !== null) overheadSeconds.observe(region, record.overheadMs / 1_000);
  }

  #readGauges(): void {
    const { pinsActive, pinStorms, logLinesDropped, eventLoopLag } = this.#instruments;
    this.#tally.tell(this.#instruments);
    this.#readRegions(this.#gauges.view());
    this.#readDrills();
    this.#readRedis();
    this.#readFeed();
    this.#readFleet();
    this.#readLimits();
    this.#readCertificates();
    this.#readWorkers();
    pinsActive.set(this.#gauges.pinsActive());
    pinStorms.set(this.#gauges.pinStorms());
    const dropped = this.#gauges.logLinesDropped();
    logLinesDropped.inc(dropped - this.#droppedSeen);
    this.#droppedSeen = dropped;
    for (const quantile of LAG_QUANTILES) eventLoopLag.set({ quantile }, this.#lag.seconds(quantile));
    this.#lag.forget();
  }

  #readFleet(): void {
    const { fleetEdges, fleetAge, writesHeld, writesUnderWay, moving } = this.#instruments;
    const fleet = this.#gauges.fleet();
    fleetEdges.set({ state: "live" }, fleet.liveEdges);
    fleetEdges.set({ state: "silent" }, fleet.silentEdges);
    fleetAge.remove();
    if (fleet.ageMs !== null) fleetAge.set(fleet.ageMs / 1_000);
    writesHeld.set(fleet.writesHeld);
    writesUnderWay.set(fleet.writesUnderWay);
    moving.set(this.#gauges.view().moving ? 1 : 0);
  }

  #readDrills(): void {
    const { drillRunning, drillRecovery, drills } = this.#instruments;
    const { running, recoveriesMs } = this.#gauges.drills();
    for (const gauge of [drillRunning, drillRecovery]) gauge.reset();
    for (const { id: region } of this.#gauges.view().regions) {
      const recoveryMs = recoveriesMs.get(region) ?? null;
      drillRunning.set({ region }, region === running ? 1 : 0);
      if (recoveryMs !== null) drillRecovery.set({ region }, recoveryMs / 1_000);
      for (const result of DRILL_RESULTS) drills.inc({ region, result }, 0);
    }
  }

  /** Every labelled gauge starts empty, so a region that a reload took away is gone. */
  #readRegions(view: View): void {
    const { health, admission, latency, lag, tunnels, writeRegion, writeEpoch } = this.#instruments;
    const { inFlight, queued, fenced, eventStreams } = this.#instruments;
    for (const gauge of [health, admission, latency, lag, tunnels, eventStreams]) gauge.reset();
    for (const gauge of [writeRegion, inFlight, queued, fenced]) gauge.reset();
    const open = this.#gauges.tunnels();
    const streaming = this.#gauges.streams();
    for (const region of view.regions) {
      const label = { region: region.id };
      fenced.set(label, region.fenced ? 1 : 0);
      for (const state of HEALTHS) health.set({ ...label, state }, state === region.health ? 1 : 0);
      for (const state of ADMISSIONS) admission.set({ ...label, state }, state === region.admission ? 1 : 0);
      if (region.latencyMs !== null) latency.set(label, region.latencyMs / 1_000);
      if (region.lagMs !== null) lag.set(label, region.lagMs / 1_000);
      tunnels.set(label, open.get(region.id) ?? 0);
      eventStreams.set(label, streaming.get(region.id) ?? 0);
      const load = this.#gauges.regionLoad(region.id);
      inFlight.set(label, load.inFlight);
      queued.set(label, load.queued);
      const writes = view.writeRegion === null ? region.role === "writer" : region.id === view.writeRegion;
      writeRegion.set(label, writes ? 1 : 0);
      this.#startRegionAtZero(region.id);
    }
    writeEpoch.set(view.epoch);
  }

  #startRegionAtZero(region: string): void {
    const { healthTransitions, faults } = this.#instruments;
    for (const to of HEALTHS) healthTransitions.inc({ region, to }, 0);
    for (const { fault, owner } of REGION_FAULTS) faults.inc({ fault, owner, region }, 0);
  }

  #readRedis(): void {
    const up = this.#gauges.redisUp();
    if (up === null) this.#instruments.redisUp.remove();
    else this.#instruments.redisUp.set(up ? 1 : 0);
  }

  #readLimits(): void {
    const { connections, connectionsLimit, overload } = this.#instruments;
    for (const [listener, open] of Object.entries(this.#gauges.connections()))
      connections.set({ listener }, open);
    connectionsLimit.set(this.#gauges.connectionsMost());
    const causes = this.#gauges.overload();
    for (const cause of OVERLOADS) overload.set({ cause }, causes.includes(cause) ? 1 : 0);
  }

  #readFeed(): void {
    const ageMs = this.#gauges.feedAgeMs();
    if (ageMs === null) this.#instruments.feedAge.remove();
    else this.#instruments.feedAge.set(ageMs / 1_000);
  }

  #readWorkers(): void {
    const { listening, restarts } = this.#gauges.workers();
    this.#instruments.workers.set(listening);
    this.#instruments.workerRestarts.inc(restarts - this.#restartsSeen);
    this.#restartsSeen = restarts;
  }

  #readCertificates(): void {
    const { certificateExpiry } = this.#instruments;
    certificateExpiry.reset();
    for (const [certificate, expiryMs] of this.#gauges.certificateExpiries())
      certificateExpiry.set({ certificate }, expiryMs / 1_000);
  }
}
