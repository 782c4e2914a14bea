import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { asStarted } from "../config/at-start.ts";
import type { Config } from "../config/schema.ts";
import type { Pins } from "../consistency/pins.ts";
import type { Pid } from "../consistency/store.ts";
import type { EventBus, OverloadCause, RequestRecord } from "../events.ts";
import type { MetricValues } from "../observe/merged-metrics.ts";
import type { Plane } from "../plane.ts";
import type { RegionLoad } from "../proxy/gates.ts";
import { prepareSettings, type Settings } from "../proxy/settings.ts";
import { TlsEnd } from "../proxy/tls.ts";
import type { RegionTable } from "../regions/table.ts";
import type { Populations } from "../routing/drain-estimate.ts";
import { endpointKey, type FromWorker } from "./messages.ts";
import { Workers } from "./workers.ts";

const TICKET_KEY_BYTES = 48;

export interface WorkerPlaneParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly generatedSecret: string;
  /** Takes whole lines of the workers' logs. */
  readonly logged: (lines: string) => void;
}

/**
 * What clients meet, in workers: the primary process, where this is, leads them and carries no request. It keeps what there
 * is one of (the prober, the admin API, the edge's word in its fleet), tells them what it finds out, and adds up what they say.
 */
export class WorkerPlane implements Plane {
  readonly #workers: Workers;
  readonly #parts: WorkerPlaneParts;
  readonly #edgeId: string;
  readonly #ticketKeys = randomBytes(TICKET_KEY_BYTES);
  #config: Config;
  #settings: Settings;

  constructor(count: number, config: Config, parts: WorkerPlaneParts) {
    const { events, table, generatedSecret, logged } = parts;
    this.#parts = parts;
    this.#edgeId = config.edge.id;
    this.#config = config;
    this.#settings = prepareSettings(config, this.#edgeId, parts);
    this.#workers = new Workers({
      ...{ count, events, logged },
      begin: () => ({
        ...{ config: this.#config, generatedSecret, known: table.known() },
        ticketKeys: this.#ticketKeys,
      }),
      heard: (message, worker) => this.#hear(message, worker),
    });
    const publish = ({ region, endpoint }: { readonly region: string; readonly endpoint: string }) =>
      this.#workers.tell({ kind: "known", known: table.known(region, endpoint) });
    events.on("probed", publish);
    events.on("endpointEjected", publish);
  }

  /** How many listen now, and how often one was replaced. */
  get workers(): { readonly listening: number; readonly restarts: number } {
    const { listening, restarts } = this.#workers;
    return { listening, restarts };
  }

  get settings(): Settings {
    return this.#settings;
  }

  get connections(): Plane["connections"] {
    const sum = (listener: "http" | "https") => this.#sum(({ connections }) => connections[listener]);
    return { http: sum("http"), https: sum("https") };
  }

  /** Those of any worker. */
  readonly overload = {
    causes: [] as readonly OverloadCause[],
  };

  /** Each worker says its own, and they add up. */
  readonly limits = { most: 0 };

  readonly tunnels = {
    counts: () => this.#counts(({ tunnels }) => tunnels),
    closeAll: () => {},
    /** Every worker follows the drill itself. */
    loseRegion: () => {},
  };

  readonly streams = { counts: () => this.#counts(({ streams }) => streams) };

  readonly decisions = {
    get: async (id: string): Promise<RequestRecord | null> => {
      const found = (await this.#workers.ask("decision", id)).filter((record) => record !== null);
      return found.toSorted(latestFirst)[0] ?? null;
    },
    recent: async (count: number): Promise<readonly RequestRecord[]> => {
      const found = await this.#workers.ask("decisions", count);
      return found.flat().toSorted(latestFirst).slice(0, count);
    },
  };

  /** Asks the shared store; what a worker holds itself it lets go as well. */
  readonly pins = {
    inspect: (pid: Pid) => this.#parts.pins.inspect(pid),
    release: async (pid: Pid): Promise<boolean> => {
      const released = await this.#parts.pins.release(pid);
      const here = await this.#workers.ask("release", pid);
      return released || here.includes(true);
    },
  };

  /** Each region's requests are counted by the workers. */
  regionLoad(_region: string): RegionLoad {
    return { inFlight: 0, queued: 0 };
  }

  populations(region: string): Populations {
    const there = this.#workers.all.flatMap(({ report }) => report.regions.get(region) ?? []);
    const sum = (of: (one: Populations) => number) => there.reduce((total, one) => total + of(one), 0);
    return {
      sessions: there.some(({ sessions }) => sessions === null) ? null : sum(({ sessions }) => sessions ?? 0),
      pins: sum(({ pins }) => pins),
      tunnels: sum(({ tunnels }) => tunnels),
      streams: sum(({ streams }) => streams),
    };
  }

  metrics(): Promise<readonly (readonly MetricValues[])[]> {
    return this.#workers.metrics();
  }

  listen(): ReturnType<Plane["listen"]> {
    return this.#workers.start();
  }

  configure(config: Config): void {
    const settings = prepareSettings(config, this.#edgeId, this.#parts);
    // Throws when a certificate cannot be used; no worker has heard of it then.
    if (config.listen.https !== undefined) new TlsEnd(config.listen.https, () => {});
    this.#config = asStarted(config, this.#config);
    this.#settings = settings;
    this.#workers.tell({ kind: "configure", config: this.#config });
  }

  stop(graceMs: number, { ready }: { readonly ready: boolean }): Promise<void> {
    return this.#workers.stop({ graceMs, ready });
  }

  hurry(): void {
    this.#workers.tell({ kind: "hurry" });
  }

  #hear(message: FromWorker, worker: number): void {
    const { table, events } = this.#parts;
    if (message.kind === "told")
      events.emit("workerTold", { worker, name: message.name, event: message.event });
    else if (message.kind === "suspect") table.suspect(message.region, message.origin);
    else if (message.kind === "ejected") table.eject(message.region, message.origin, message.cause);
    else if (message.kind === "report") {
      const said = this.#workers.all.map(({ report }) => report);
      this.overload.causes = [...new Set(said.flatMap(({ overload }) => overload))];
      table.setInFlight((region, origin) =>
        this.#sum(({ inFlight }) => inFlight.get(endpointKey(region, origin)) ?? 0),
      );
    }
  }

  #sum(of: (report: Workers["all"][number]["report"]) => number): number {
    return this.#workers.all.reduce((sum, { report }) => sum + of(report), 0);
  }

  #counts(of: (there: Populations) => number): ReadonlyMap<string, number> {
    const { regions } = this.#parts.table.view;
    return new Map(regions.map(({ id }) => [id, of(this.populations(id))]));
  }
}

function latestFirst(a: RequestRecord, b: RequestRecord): number {
  return b.startedAtWallMs - a.startedAtWallMs;
}
