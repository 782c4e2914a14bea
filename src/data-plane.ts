import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, systemClock } from "./clock.ts";
import type { Config } from "./config/schema.ts";
import type { Pins } from "./consistency/pins.ts";
import type { EventBus } from "./events.ts";
import type { TopologyStore } from "./fleet/topology.ts";
import { Tracing } from "./observe/tracing.ts";
import { ConnectionLimits } from "./proxy/connection-limits.ts";
import { descriptorLimit } from "./proxy/descriptors.ts";
import { Gates, type RegionLoad } from "./proxy/gates.ts";
import { RequestHandler } from "./proxy/handle.ts";
import { LongLived } from "./proxy/long-lived.ts";
import { Overload, type Vitals } from "./proxy/overload.ts";
import { PinEndpoint } from "./proxy/pin-endpoint.ts";
import { Router } from "./proxy/router.ts";
import { EdgeServer, type Handlers, type Sharing } from "./proxy/server.ts";
import { Sessions } from "./proxy/sessions.ts";
import { prepareSettings, type Settings } from "./proxy/settings.ts";
import { Timeouts } from "./proxy/timeouts.ts";
import { TunnelHandler } from "./proxy/tunnel.ts";
import type { WriteGate } from "./proxy/write-gate.ts";
import type { RegionTable } from "./regions/table.ts";
import type { Populations } from "./routing/drain-estimate.ts";
import type { TrafficMeter } from "./routing/traffic.ts";
import { version } from "./version.ts";

/** How long a stopping edge still accepts, at most: two rounds of a balancer's usual health check. */
const ACCEPT_GRACE_MS = 5_000;
/** Over how long the event streams end of an edge that stops, at most. */
const STREAMS_END_MS = 5_000;
/** How long before the end of a shutdown's grace tunnels are closed, at most; and in which part of it clients are told. */
const TUNNELS_LEAVE_MS = 10_000;
const TUNNELS_TOLD_SHARE = 0.7;

export interface DataPlaneParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly topology: Pick<TopologyStore, "refresh">;
  readonly writes: WriteGate;
  readonly traffic: TrafficMeter;
  readonly vitals: Vitals;
  /** Signs where the configuration gives no secrets. */
  readonly generatedSecret: string;
  /** Left out where this process is the only one that listens. */
  readonly sharing?: Sharing;
}

/** What clients meet, put together: the ports, and everything between them and the regions. */
export class DataPlane {
  readonly tunnels: TunnelHandler;
  readonly streams: LongLived;
  readonly overload: Overload;
  readonly limits: ConnectionLimits;
  readonly #parts: DataPlaneParts;
  readonly #gates = new Gates(() => systemClock.now());
  readonly #server: EdgeServer;
  readonly #requests: RequestHandler;
  readonly #sessions: Sessions;
  readonly #edgeId: string;
  readonly #tracing: Tracing;
  readonly #timeouts = new Timeouts();
  #settings: Settings;
  #isStopping = false;
  /** Aborted when what is still open is to be cut. */
  readonly #hurry = new AbortController();

  constructor(config: Config, parts: DataPlaneParts) {
    const { clock, events, table, vitals } = parts;
    this.#parts = parts;
    this.#edgeId = config.edge.id;
    this.#settings = this.#prepare(config);
    this.#tracing = new Tracing({ events, version, edge: config.edge.id });
    this.#sessions = new Sessions(systemClock, () => this.#settings.config.affinity.ttl);
    this.overload = new Overload(config, { clock: systemClock, events, vitals, chance: Math.random });
    const shared = {
      ...parts,
      chance: Math.random,
      sessions: this.#sessions,
      settings: () => this.#settings,
      dismisses: () => this.#isStopping || this.overload.dismisses,
    };
    const isClosed = (region: string) => table.view.byId.get(region)?.admission === "closed";
    const router = new Router(shared);
    const pinEndpoint = new PinEndpoint(shared);
    this.streams = new LongLived({ clock, chance: Math.random, isClosed });
    const own = { gates: this.#gates, streams: this.streams, timeouts: this.#timeouts };
    this.#requests = new RequestHandler({ ...shared, router, pinEndpoint, ...own });
    this.tunnels = new TunnelHandler({ ...shared, router, isClosed });
    this.limits = new ConnectionLimits(config, {
      events,
      overload: () => this.overload.cause,
      descriptors: descriptorLimit(),
      tunnels: () => this.tunnels.size,
    });
    this.#server = new EdgeServer(config, this.#handlers(), this.limits, parts.sharing);
    events.on("admissionChanged", ({ region, to }) => {
      if (to !== "closed") return;
      this.tunnels.closeRegion(region);
      this.streams.closeRegion(region);
    });
  }

  /** What is in force; a reload replaces it whole. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Open connections of clients, by the listener that they came in by. */
  get connections(): EdgeServer["connections"] {
    return this.#server.connections;
  }

  /** Requests at a region, and those that wait for it. */
  regionLoad(region: string): RegionLoad {
    const endpoints = this.#parts.table.endpoints.filter((endpoint) => endpoint.region === region);
    return this.#gates.regionLoad(region, endpoints);
  }

  /** Who is at a region, and may have to leave it. */
  populations(region: string): Populations {
    const { pins, table } = this.#parts;
    return {
      sessions: this.#sessions.count(region),
      pins: pins.countAt(region, table.view.writeRegion),
      tunnels: this.tunnels.counts().get(region) ?? 0,
      streams: this.streams.counts().get(region) ?? 0,
    };
  }

  /** Resolves with the ports, which the system chooses where 0 was asked for; rejects when one is taken. */
  async listen(listen: Config["listen"]): ReturnType<EdgeServer["listen"]> {
    this.overload.start();
    await this.#tracing.configure(this.#settings.config.tracing);
    return this.#server.listen(listen);
  }

  /** Throws when a certificate cannot be used; nothing is changed then. */
  configure(config: Config): void {
    this.#server.configure(config);
    this.#settings = this.#prepare(config);
    this.limits.configure(config);
    this.overload.configure(config);
    void this.#tracing.configure(config.tracing);
  }

  /**
   * Says `Connection: close` in every answer, and goes on accepting for a while if it is `ready`, so that balancers notice before
   * connections are refused; then lets requests in flight end until `graceMs` have passed. Before that event streams are ended, and
   * tunnels closed, by and by; after it what is left is cut.
   */
  async stop(graceMs: number, { ready }: { readonly ready: boolean }): Promise<void> {
    this.#isStopping = true;
    const acceptMs = ready ? Math.min(ACCEPT_GRACE_MS, graceMs / 5) : 0;
    const { signal } = this.#hurry;
    const hurried = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    signal.addEventListener("abort", () => this.#cut());
    await sleep(acceptMs, undefined, { signal }).catch(() => undefined);
    const leftMs = graceMs - acceptMs;
    this.streams.closeAll(Math.min(STREAMS_END_MS, leftMs / 2));
    const leaveMs = Math.min(TUNNELS_LEAVE_MS, leftMs / 2);
    const leave = setTimeout(() => this.tunnels.closeAll(leaveMs * TUNNELS_TOLD_SHARE), leftMs - leaveMs);
    const cut = setTimeout(() => this.#hurry.abort(), leftMs);
    await Promise.all([this.#server.close(), this.tunnels.idle()]);
    clearTimeout(leave);
    // No client is left; what is still open are writes that somebody has walked away from.
    await Promise.race([this.#requests.idle(), hurried]);
    clearTimeout(cut);
    this.overload.close();
    this.#timeouts.close();
    await this.#tracing.close();
  }

  /** Cuts at once what {@link stop} waits for. */
  hurry(): void {
    this.#hurry.abort();
  }

  #cut(): void {
    this.#server.cut();
    this.tunnels.cut();
  }

  #handlers(): Handlers {
    return {
      request: (req, res, awaitsContinue) => void this.#requests.handle(req, res, awaitsContinue),
      upgrade: (req, socket, head) => void this.tunnels.upgrade(req, socket, head),
      headRefused: (fault) => this.#parts.events.emit("headRefused", { fault }),
    };
  }

  #prepare(config: Config): Settings {
    return prepareSettings(config, this.#edgeId, this.#parts);
  }
}
