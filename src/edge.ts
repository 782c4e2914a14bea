import { randomBytes } from "node:crypto";
import type { AdminParts, Readiness, ReloadAnswer } from "./admin/parts.ts";
import { createAdmin } from "./admin/server.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { type Clock, systemClock } from "./clock.ts";
import { CurrentConfig } from "./config/current.ts";
import { type ConfigProblem, folderOf } from "./config/load.ts";
import { certificatesOf } from "./config/pem-files.ts";
import type { Config } from "./config/schema.ts";
import { Pins, type PinsParts } from "./consistency/pins.ts";
import { DataPlane } from "./data-plane.ts";
import { EventBus, type OverloadCause } from "./events.ts";
import type { AdmissionStore } from "./fleet/admissions.ts";
import type { Calendar } from "./fleet/calendar.ts";
import type { Drills } from "./fleet/drills.ts";
import type { TopologyStore } from "./fleet/topology.ts";
import { Member } from "./member.ts";
import { DecisionRing } from "./observe/decisions.ts";
import { type EventLog, logEvents } from "./observe/event-log.ts";
import type { Logger } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import { ResidencyWatch } from "./observe/residency-watch.ts";
import { ProcessVitals } from "./observe/vitals.ts";
import { type Plane, planeGauges } from "./plane.ts";
import { describedInputs } from "./proxy/inputs.ts";
import type { Vitals } from "./proxy/overload.ts";
import { WriteGate } from "./proxy/write-gate.ts";
import { Drains } from "./regions/drains.ts";
import { Prober } from "./regions/probes.ts";
import { RegionTable, type RehearsedLoss } from "./regions/table.ts";
import { Reloader } from "./reload.ts";
import { movesOf, objection } from "./routing/moves.ts";
import type { Admission } from "./routing/region.ts";
import { TrafficMeter } from "./routing/traffic.ts";
import { Shared } from "./shared.ts";
import { version } from "./version.ts";
import { workersOf } from "./workers/shares.ts";
import { WorkerPlane } from "./workers/worker-plane.ts";

/** They add up; the process that leads them carries nothing. */
const MEASURED_BY_WORKERS = {
  tunnels: () => new Map<string, number>(),
  streams: () => new Map<string, number>(),
  connections: () => ({}),
  connectionsMost: () => 0,
  overload: () => [],
  regionLoad: () => ({ inFlight: 0, queued: 0 }),
};

export interface EdgeOptions {
  readonly config: Config;
  /** What `validate` warned of; shown by the admin API. */
  readonly warnings?: readonly ConfigProblem[];
  readonly log: Logger;
  /** Where a reload reads; null when there is no file. */
  readonly configFile?: string | null;
  readonly logLinesDropped?: () => number;
  /** Takes whole lines of the logs of workers. */
  readonly logged?: (lines: string) => void;
  /** For proofs: another time than the system's. */
  readonly clock?: Clock;
  /** For proofs: how this process is said to be. */
  readonly vitals?: Vitals;
  /** For proofs: pins that are wrong on purpose, to show that the proof notices. */
  readonly pins?: (config: Config, parts: PinsParts) => Pins;
}

/** Starts an edge; resolves when it is ready to serve, rejects when it cannot listen. */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const edge = new Edge(options);
  try {
    await edge.start();
  } catch (error) {
    await edge.stop(0);
    throw error;
  }
  return edge;
}

/** One edge, put together. The only file that says `new` to the parts. */
export class Edge {
  readonly events = new EventBus();
  readonly config: CurrentConfig;
  readonly table: RegionTable;
  readonly pins: Pins;
  httpUrl = "";
  /** Null without TLS. */
  httpsUrl: string | null = null;
  adminUrl = "";

  readonly #options: EdgeOptions;
  readonly #shared: Shared;
  readonly #member: Member;
  readonly #prober: Prober;
  readonly #plane: Plane;
  /** The same where it is in workers; else null. */
  readonly #workers: WorkerPlane | null;
  readonly #vitals = new ProcessVitals();
  readonly #drains: Drains;
  readonly #admin: ReturnType<typeof createAdmin>;
  readonly #metrics: Metrics;
  readonly #eventLog: EventLog;
  readonly #residencyWatch: ResidencyWatch;
  readonly #traffic: TrafficMeter;
  readonly #startedAtMs = systemClock.now();
  readonly #reloader: Reloader;
  readonly #certificates: CertificateWatch;
  #state: "starting" | "ready" | "stopping" = "starting";
  #stopped: Promise<void> | null = null;

  constructor(options: EdgeOptions) {
    const { config, log } = options;
    const { clock = systemClock, pins = (...given) => new Pins(...given) } = options;
    const { events } = this;
    this.#options = options;
    this.config = new CurrentConfig(config);
    this.#reloader = new Reloader({
      file: options.configFile ?? null,
      warnings: options.warnings ?? [],
      current: this.config,
      events,
      apply: (next) => this.#apply(next),
    });
    this.#certificates = new CertificateWatch({
      clock,
      current: this.config,
      folder: folderOf(options.configFile ?? "-"),
      events,
      apply: (next) => this.#apply(next),
    });
    this.#traffic = new TrafficMeter(clock.now());
    this.#eventLog = logEvents(events, log, config.log.access);
    this.#residencyWatch = new ResidencyWatch(events);
    this.table = new RegionTable(config, { clock, events });
    this.#prober = new Prober(this.table, config, { clock, chance: Math.random, version });
    this.#shared = new Shared(this.config, events);
    const { pins: store, feed, hash } = this.#shared;
    this.pins = pins(config, { clock, events, store, feed });
    const writes = new WriteGate({ events, table: this.table });
    this.#member = new Member({
      ...{ clock, events, config: this.config, hash, table: this.table, prober: this.#prober, writes },
      rates: () => this.#traffic.rates(clock.now()),
      objection: (region, admission) => this.#objection(region, admission),
      rehearse: (drill) => this.#rehearse(drill),
    });

    const { table, pins: held, topology } = this;
    const generatedSecret = randomBytes(32).toString("base64url");
    const shared = { clock, events, table, pins: held, generatedSecret };
    const workers = workersOf(config);
    const logged = options.logged ?? (() => {});
    this.#workers = workers === 1 ? null : new WorkerPlane(workers, config, { ...shared, logged });
    this.#plane =
      this.#workers ??
      new DataPlane(config, {
        ...{ ...shared, topology, writes, traffic: this.#traffic },
        vitals: options.vitals ?? this.#vitals,
      });
    this.#drains = new Drains({
      clock,
      view: () => this.table.view,
      said: (region) => this.admissions.get().get(region),
      there: (region) => this.#plane.populations(region),
    });
    this.#metrics = this.#measure();
    this.#admin = createAdmin(this.#adminParts(), log);
  }

  /** The admin API first, so that a slow start can be watched; then health; clients last. */
  async start(): Promise<void> {
    const { listen } = this.config.get();
    this.adminUrl = await this.#admin.listen();
    await Promise.all([this.#prober.firstRound(), this.#shared.start()]);
    this.#member.follow();
    this.#prober.start();
    await this.#member.start();
    const ports = await this.#plane.listen(listen);
    this.httpUrl = `http://${hostInUrl(listen.http.host)}:${ports.http}`;
    this.#certificates.start();
    if (listen.https) this.httpsUrl = `https://${hostInUrl(listen.https.host)}:${ports.https}`;
    this.#state = "ready";
  }

  /** What there is too little of, so that new connections are refused. */
  get overload(): readonly OverloadCause[] {
    return this.#plane.overload.causes;
  }

  /** Open connections of clients. */
  get connections(): number {
    return Object.values(this.#plane.connections).reduce((sum, open) => sum + open, 0);
  }

  get tunnels(): Plane["tunnels"] {
    return this.#plane.tunnels;
  }

  get streams(): Plane["streams"] {
    return this.#plane.streams;
  }

  /**
   * Says at once that it is not ready any more, lets clients go ({@link DataPlane.stop}), and closes everything. A second call
   * while the first runs cuts at once.
   */
  stop(graceMs = this.config.get().shutdown.grace): Promise<void> {
    if (this.#stopped === null) this.#stopped = this.#stop(graceMs);
    else this.#plane.hurry();
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    const ready = this.#state === "ready";
    this.#state = "stopping";
    await this.#plane.stop(graceMs, { ready });
    await this.#certificates.close();
    await this.#member.close();
    await this.#prober.stop();
    await this.#admin.close();
    this.#drains.close();
    await this.table.close();
    await this.pins.close();
    await this.#shared.close();
    this.#vitals.close();
    this.#metrics.close();
    this.#residencyWatch.close();
    this.#eventLog.close();
  }

  get admissions(): AdmissionStore {
    return this.#member.admissions;
  }

  get topology(): TopologyStore {
    return this.#member.topology;
  }

  get calendar(): Calendar {
    return this.#member.calendar;
  }

  get drills(): Drills {
    return this.#member.drills;
  }

  /** Never rejects. */
  reload(options = { dryRun: false }): Promise<ReloadAnswer> {
    return this.#reloader.reload(options);
  }

  #apply(config: Config): void {
    // First, for a certificate that cannot be used throws.
    this.#plane.configure(config);
    this.config.swap(config);
    this.table.configure(config);
    this.#member.configure(config);
    this.#prober.configure(config);
    this.pins.configure(config);
    this.#eventLog.setAccess(config.log.access);
    this.#options.log.level = config.log.level;
  }

  /** Whoever is connected through a region that is lost is cut, as its death would. */
  #rehearse(drill: RehearsedLoss | null): void {
    this.table.setDrill(drill);
    if (drill?.kind === "black-hole") this.tunnels.loseRegion(drill.region);
  }

  #objection(region: string, admission: Admission): string | null {
    const traffic = this.#member.traffic();
    const setting = { view: this.table.view, rules: this.#plane.settings.rules, traffic };
    const found = objection(region, admission, movesOf(region, admission, setting), setting);
    return found && `${found.why}. ${found.instead}`;
  }

  /** Processes that listen for clients. */
  get #listening(): number {
    if (this.#state !== "ready") return 0;
    return this.#workers?.workers.listening ?? 1;
  }

  #readiness(): Readiness {
    const { causes: overload } = this.#plane.overload;
    if (this.#state !== "ready") return { ready: false, reasons: [this.#state], overload };
    const isServed = this.#listening > 0;
    return { ready: isServed, reasons: isServed ? [] : ["no worker listens"], overload };
  }

  #measure(): Metrics {
    const workers = this.#workers;
    const gauges = {
      view: () => this.table.view,
      ...(workers === null
        ? planeGauges(this.#plane)
        : { ...MEASURED_BY_WORKERS, others: () => workers.metrics() }),
      workers: () => ({ listening: this.#listening, restarts: workers?.workers.restarts ?? 0 }),
      pinsActive: () => this.pins.activeCount(),
      pinStorms: () => this.pins.stormCount(),
      fleet: () => this.#member.gauges(),
      drills: () => this.drills.gauges(),
      redisUp: () => this.#shared.pins?.isUp ?? null,
      feedAgeMs: () => this.#shared.feed?.ageMs ?? null,
      certificateExpiries: () =>
        new Map(certificatesOf(this.config.get()).map(({ place, validToMs }) => [place, validToMs])),
      logLinesDropped: this.#options.logLinesDropped ?? (() => 0),
    };
    return new Metrics(this.events, gauges, { version, edge: this.config.get().edge.id });
  }

  #adminParts(): AdminParts {
    return {
      clock: systemClock,
      events: this.events,
      config: this.config,
      table: this.table,
      admissions: this.admissions,
      moveWriteRegion: (wanted) => this.#member.moveWriteRegion(wanted),
      move: () => this.#member.move,
      edges: () => this.#member.edges(),
      drills: this.drills,
      schedule: () => this.calendar.status(),
      pins: this.#workers?.pins ?? this.pins,
      decisions: this.#workers?.decisions ?? new DecisionRing(this.events),
      metrics: this.#metrics,
      inputs: (request) =>
        describedInputs(request, this.#plane.settings, this.table.view, {
          pins: this.pins,
          chance: Math.random,
        }),
      reload: (options) => this.reload(options),
      warnings: () => this.#reloader.warnings,
      readiness: () => this.#readiness(),
      status: () => ({
        edge: this.config.get().edge.id,
        version,
        uptimeSeconds: (systemClock.now() - this.#startedAtMs) / 1_000,
        mode: this.table.view.moving ? "ro" : "rw",
        redis: this.#shared.redis,
        workers: this.#listening,
      }),
      there: (region) => this.#plane.populations(region),
      traffic: () => this.#member.traffic(),
      drains: this.#drains,
      identityPids: (kind, value) => this.#plane.settings.identities.lookUp(kind, value)?.read ?? null,
    };
  }
}

function hostInUrl(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
