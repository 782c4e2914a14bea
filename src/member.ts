import type { Clock } from "./clock.ts";
import type { CurrentConfig } from "./config/current.ts";
import type { Config } from "./config/schema.ts";
import type { EventBus } from "./events.ts";
import { AdmissionStore } from "./fleet/admissions.ts";
import { Calendar } from "./fleet/calendar.ts";
import { DrillDuty } from "./fleet/drill-duty.ts";
import { DrillStore } from "./fleet/drill-store.ts";
import { Drills } from "./fleet/drills.ts";
import { edgesIn, type KnownEdge, type Quorum, quorumOn } from "./fleet/edges.ts";
import { Failover } from "./fleet/failover.ts";
import { callHook } from "./fleet/hook.ts";
import { Maintenance } from "./fleet/maintenance.ts";
import type { Move, Wanted } from "./fleet/move.ts";
import type { Moved } from "./fleet/move-run.ts";
import type { SharedHash } from "./fleet/shared-hash.ts";
import { Switchover } from "./fleet/switchover.ts";
import { firstTopology, TopologyStore } from "./fleet/topology.ts";
import { trafficOf } from "./fleet/traffic.ts";
import type { Prober } from "./regions/probes.ts";
import type { RegionTable, RehearsedLoss } from "./regions/table.ts";
import { writeRegionOf } from "./regions/view.ts";
import { drillSettingOf, reportOf } from "./report.ts";
import type { Traffic } from "./routing/capacity.ts";
import type { Admission } from "./routing/region.ts";
import type { Rate } from "./routing/traffic.ts";
import { TopologyWatch } from "./topology-watch.ts";

export interface MemberParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly config: CurrentConfig;
  readonly hash: SharedHash;
  readonly table: RegionTable;
  readonly prober: Prober;
  readonly writes: { readonly underWay: number; readonly held: number };
  /** What this edge has sent lately. */
  readonly rates: () => readonly Rate[];
  /** Behaves as if the region were lost; null: no more. */
  rehearse(drill: RehearsedLoss | null): void;
  /** See `MaintenanceParts`. */
  objection(region: string, admission: Admission): string | null;
}

/** An edge as a member of its fleet, put together: what it follows, what it says, and what it may begin. */
export class Member {
  readonly admissions: AdmissionStore;
  readonly topology: TopologyStore;
  readonly calendar: Calendar;
  readonly drills: Drills;
  readonly #parts: MemberParts;
  readonly #watch: TopologyWatch;
  readonly #switchover: Switchover;
  readonly #maintenance: Maintenance;
  readonly #failover: Failover;

  constructor(parts: MemberParts) {
    const { clock, events, config, hash, table, prober } = parts;
    this.#parts = parts;
    this.topology = new TopologyStore(hash, firstTopology(writeRegionOf(config.get())));
    this.admissions = new AdmissionStore(hash);
    this.admissions.onChange((said) => table.setAdmissions(said));
    const { topology, admissions } = this;
    this.#watch = new TopologyWatch({ hash, topology, table, config, events });
    const view = () => table.view;
    this.#switchover = new Switchover({
      ...{ events, hash, topology, view },
      ask: (region) => prober.ask(region),
      hook: () => hookOf(config.get()),
      settings: () => switchoverSettings(config.get()),
      traffic: () => this.traffic(),
    });
    this.#failover = new Failover({
      ...{ events, hash, topology, view, switchover: this.#switchover },
      config: () => config.get().failover,
      now: () => clock.now(),
    });
    this.#maintenance = new Maintenance({ events, admissions, objection: parts.objection });
    this.drills = new Drills({
      ...{ events, hash, store: new DrillStore(hash), writes: () => topology.get() },
      rehearse: (drill) => parts.rehearse(drill),
      setting: () => this.#drillSetting(),
    });
    const drills = new DrillDuty({ events, drills: this.drills });
    this.calendar = new Calendar({ clock, events, maintenance: this.#maintenance, drills });
    this.calendar.configure(config.get());
    hash.say(() => JSON.stringify(this.#report()));
  }

  /** Call it when what the others say is known. */
  follow(): void {
    if (this.#parts.hash.isShared) this.#watch.follow();
  }

  /** Goes on with what is on already. Call it when health is known too. */
  async start(): Promise<void> {
    await this.drills.start();
    await this.calendar.start();
  }

  configure(config: Config): void {
    this.topology.fileSays(writeRegionOf(config));
    this.follow();
    this.calendar.configure(config);
  }

  /** See {@link Switchover.move}. */
  moveWriteRegion(wanted: Wanted): Promise<Moved> {
    return this.#switchover.move(wanted);
  }

  /** The move that is under way; null when none is. */
  get move(): Move | null {
    return this.topology.get().move;
  }

  /** The edges of the fleet, and how many of them have to agree on the write region. */
  edges(): { readonly edges: readonly KnownEdge[]; readonly quorum: Quorum } {
    const edges = edgesIn(this.#parts.hash);
    return { edges, quorum: quorumOn(this.topology.get().writer, edges) };
  }

  /** What the fleet sends to its regions, and what they can bear. */
  traffic(): Traffic {
    return trafficOf(this.edges().edges, this.#parts.config.get());
  }

  /** See `FleetGauges`. */
  gauges() {
    const { hash, writes } = this.#parts;
    const { known, live } = this.edges().quorum;
    return {
      liveEdges: live,
      silentEdges: known - live,
      ageMs: hash.isShared ? hash.heardMsAgo() : null,
      writesHeld: writes.held,
      writesUnderWay: writes.underWay,
    };
  }

  async close(): Promise<void> {
    this.#failover.close();
    await this.#switchover.close();
    await this.calendar.close();
    await this.drills.close();
    this.#maintenance.close();
    this.topology.close();
  }

  #report() {
    const { config, table, writes, rates } = this.#parts;
    return reportOf(table, {
      ...{ holds: this.move?.id ?? null, writesUnderWay: writes.underWay, rates: rates() },
      location: config.get().edge.location ?? null,
      worker: null,
      drill: this.drills.said,
    });
  }

  #drillSetting() {
    const { hash, config, table } = this.#parts;
    const { holdDown } = this.topology.get();
    const isHeldDown = holdDown !== null && hash.nowMs() < holdDown.untilMs;
    return drillSettingOf(table.view, config.get(), { ...this.edges(), isHeldDown });
  }
}

function hookOf({ failover: { hook } }: Config) {
  return hook === undefined ? null : (move: Move) => callHook(hook, move);
}

function switchoverSettings({ health, failover }: Config) {
  return {
    maxLagMs: health.maxLag,
    holdWritesMs: failover.holdWrites,
    holdDownMs: failover.holdDown,
  };
}
