import { systemClock } from "../clock.ts";
import { CurrentConfig } from "../config/current.ts";
import type { Config } from "../config/schema.ts";
import { Pins } from "../consistency/pins.ts";
import { DataPlane } from "../data-plane.ts";
import { EventBus } from "../events.ts";
import { DecisionRing } from "../observe/decisions.ts";
import { type EventLog, logEvents } from "../observe/event-log.ts";
import type { Logger } from "../observe/log.ts";
import { Metrics } from "../observe/metrics.ts";
import { ResidencyWatch } from "../observe/residency-watch.ts";
import { ProcessVitals } from "../observe/vitals.ts";
import { planeGauges } from "../plane.ts";
import type { Ports } from "../proxy/server.ts";
import { WriteGate } from "../proxy/write-gate.ts";
import { BEAT_MS, RegionTable, type RehearsedLoss } from "../regions/table.ts";
import { TrafficMeter } from "../routing/traffic.ts";
import { Shared } from "../shared.ts";
import { version } from "../version.ts";
import { Follower } from "./follower.ts";
import { type Ask, type Begin, endpointKey, type FromWorker, type Questions, TOLD } from "./messages.ts";
import { shareOf } from "./shares.ts";

export interface WorkerOptions {
  readonly log: Logger;
  readonly logLinesDropped: () => number;
  readonly tell: (message: FromWorker) => void;
}

/** What nobody asks a worker for: its primary knows it of the whole edge. */
const NOT_OF_A_WORKER = {
  fleet: () => ({ liveEdges: 0, silentEdges: 0, ageMs: null }),
  drills: () => ({ running: null, recoveriesMs: new Map<string, number | null>() }),
  workers: () => ({ listening: 0, restarts: 0 }),
  certificateExpiries: () => new Map<string, number>(),
} as const;

/** One worker, put together: the data plane of an edge and what it needs to decide and to keep pins, but no prober and no admin API. */
export class Worker {
  readonly events = new EventBus();
  readonly #options: WorkerOptions;
  readonly #workers: number;
  readonly #config: CurrentConfig;
  readonly #table: RegionTable;
  readonly #shared: Shared;
  readonly #pins: Pins;
  readonly #follower: Follower;
  readonly #plane: DataPlane;
  readonly #vitals: ProcessVitals;
  readonly #metrics: Metrics;
  readonly #eventLog: EventLog;
  readonly #residencyWatch: ResidencyWatch;
  readonly #decisions: DecisionRing;
  #beat: NodeJS.Timeout | null = null;
  #stopped: Promise<void> | null = null;

  constructor(begin: Begin, options: WorkerOptions) {
    const { worker, workers, config: whole, generatedSecret, known } = begin;
    const { events } = this;
    const [clock, config] = [systemClock, shareOf(whole, workers)];
    this.#options = options;
    this.#workers = workers;
    this.#config = new CurrentConfig(config);
    this.#eventLog = logEvents(events, options.log, config.log.access, { isWorker: true });
    this.#residencyWatch = new ResidencyWatch(events);
    this.#decisions = new DecisionRing(events);
    this.#vitals = new ProcessVitals(workers);
    this.#table = new RegionTable(config, { clock, events });
    this.#table.learn(known);
    const table = this.#table;
    this.#shared = new Shared(this.#config, events, `${config.edge.id}/${worker}`);
    const { pins: store, feed, hash } = this.#shared;
    this.#pins = new Pins(config, { clock, events, store, feed });
    const [writes, traffic] = [new WriteGate({ events, table }), new TrafficMeter(clock.now())];
    this.#follower = new Follower({
      ...{ worker, events, config: this.#config, hash, table, writes },
      rates: () => traffic.rates(clock.now()),
      rehearse: (drill) => this.#rehearse(drill),
    });
    this.#plane = new DataPlane(config, {
      ...{ clock, events, table, pins: this.#pins, topology: this.#follower.topology, writes, traffic },
      ...{ vitals: this.#vitals, generatedSecret, sharing: { ticketKeys: Buffer.from(begin.ticketKeys) } },
    });
    this.#metrics = this.#measure(writes);
    this.#tellOfFailures();
    for (const name of TOLD) events.on(name, (event: object) => options.tell({ kind: "told", name, event }));
  }

  /** Resolves when it listens. What the fleet says is known by then, and what the prober of its edge has found out. */
  async start(): Promise<Ports> {
    await this.#shared.start();
    this.#follower.follow();
    this.#beat = setInterval(() => this.#table.beat(), BEAT_MS);
    this.#table.beat();
    return this.#plane.listen(this.#config.get().listen);
  }

  learn(known: Begin["known"]): void {
    this.#table.learn(known);
  }

  configure(whole: Config): void {
    const config = shareOf(whole, this.#workers);
    this.#plane.configure(config);
    this.#config.swap(config);
    this.#table.configure(config);
    this.#follower.configure(config);
    this.#pins.configure(config);
    this.#eventLog.setAccess(config.log.access);
    this.#options.log.level = config.log.level;
  }

  async answer({ name, asked }: Ask): Promise<Questions[keyof Questions]["answer"]> {
    switch (name) {
      case "metrics":
        return this.#metrics.values();
      case "decision":
        return this.#decisions.get(asked as string);
      case "decisions":
        return this.#decisions.recent(asked as number);
      case "release":
        return this.#pins.release(asked as Questions["release"]["asked"]).catch(() => false);
    }
  }

  report(): void {
    const { regions } = this.#table.view;
    this.#options.tell({
      kind: "report",
      connections: this.#plane.connections,
      overload: this.#plane.overload.causes,
      regions: new Map(regions.map(({ id }) => [id, this.#plane.populations(id)])),
      inFlight: new Map(
        this.#table.endpoints.map(({ region, origin, requestsInFlight }) => [
          endpointKey(region, origin),
          requestsInFlight,
        ]),
      ),
    });
  }

  /** As an edge stops. A second call while the first runs cuts at once. */
  stop(graceMs: number, ready: boolean): Promise<void> {
    if (this.#stopped === null) this.#stopped = this.#stop(graceMs, ready);
    else this.#plane.hurry();
    return this.#stopped;
  }

  async #stop(graceMs: number, ready: boolean): Promise<void> {
    await this.#plane.stop(graceMs, { ready });
    if (this.#beat !== null) clearInterval(this.#beat);
    this.#follower.close();
    await this.#table.close();
    await this.#pins.close();
    await this.#shared.close();
    this.#residencyWatch.close();
    this.#eventLog.close();
  }

  #rehearse(drill: RehearsedLoss | null): void {
    this.#table.setDrill(drill);
    if (drill?.kind === "black-hole") this.#plane.tunnels.loseRegion(drill.region);
  }

  /** One prober hears of failed requests, and all processes of an endpoint that is out of service. */
  #tellOfFailures(): void {
    const { tell } = this.#options;
    this.#table.onSuspect(({ region, origin }) => tell({ kind: "suspect", region, origin }));
    this.events.on("endpointEjected", ({ region, endpoint: origin, cause }) =>
      tell({ kind: "ejected", region, origin, cause }),
    );
  }

  #measure(writes: WriteGate): Metrics {
    const gauges = {
      ...NOT_OF_A_WORKER,
      ...planeGauges(this.#plane),
      view: () => this.#table.view,
      pinsActive: () => this.#pins.activeCount(),
      pinStorms: () => this.#pins.stormCount(),
      fleet: () => ({
        ...NOT_OF_A_WORKER.fleet(),
        ...{ writesHeld: writes.held, writesUnderWay: writes.underWay },
      }),
      redisUp: () => this.#shared.pins?.isUp ?? null,
      feedAgeMs: () => this.#shared.feed?.ageMs ?? null,
      logLinesDropped: this.#options.logLinesDropped,
    };
    return new Metrics(this.events, gauges, { version, edge: this.#config.get().edge.id });
  }
}
