import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { loadsWithout } from "../routing/capacity.ts";
import {
  type DrillPlan,
  type DrillSetting,
  movesOfDrill,
  objectionsToDrill,
  warningsOfDrill,
} from "../routing/drill.ts";
import { begunDrill, type Drill, type DrillEnd, type DrillWindow, endedDrill } from "./drill.ts";
import { DrillFollower, type DrillFollowerParts } from "./drill-follower.ts";
import { DrillHistory } from "./drill-history.ts";
import { type DrillReport, type DrillTotals, type EdgeDrill, totalsOf } from "./drill-report.ts";
import { DrillSupervisor, type WritesOfFleet } from "./drill-supervisor.ts";
import { type DrillOutlook, type DrillRefusal, type DrillWish, NotBegun, OVERTAKEN } from "./drill-wish.ts";
import { SharedAway } from "./shared-hash.ts";

/** How often a drill that runs is looked at. */
const LOOK_MS = 250;
/** How often the report of a drill is looked for that another edge writes. */
const FIND_ATTEMPTS = 10;
const FIND_AGAIN_MS = 500;

export interface DrillsParts extends DrillFollowerParts {
  readonly writes: () => WritesOfFleet;
  /** The world that a drill is judged in. */
  readonly setting: () => DrillSetting;
}

/**
 * Rehearses the loss of a region, one at a time in a fleet. Each edge follows what is in the shared memory; the edge that has begun a
 * drill supervises it under a lease, ends it, and writes its report. When that edge dies the drill is over for everybody within the
 * lease, and another one writes the report.
 */
export class Drills {
  readonly #parts: DrillsParts;
  readonly #follower: DrillFollower;
  readonly #history: DrillHistory;
  readonly #supervisor: DrillSupervisor;
  readonly #unsubscribe: readonly (() => void)[];
  /** As it was last seen. */
  #seen: Drill | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(parts: DrillsParts) {
    const { hash, store } = parts;
    this.#parts = parts;
    this.#follower = new DrillFollower(parts);
    this.#history = new DrillHistory(hash);
    const history = this.#history;
    this.#supervisor = new DrillSupervisor({ ...parts, history, own: () => this.#follower.said });
    const look = () => this.#look();
    this.#unsubscribe = [store.onChange(look), hash.onHeard(look)];
  }

  /** Reads what there was, and follows what is on. Call it when what the others say is known. */
  async start(): Promise<void> {
    await this.#history.read();
    this.#look();
  }

  /** Past drills, the newest first. */
  history(): Promise<readonly DrillReport[]> {
    return this.#history.read();
  }

  /** The one that runs, or is being summed up. */
  get present(): Drill | null {
    return this.#parts.store.get().drill;
  }

  hasBegun({ line, id }: DrillWindow): boolean {
    return this.#parts.store.get().windows[line] === id;
  }

  /** What this edge says of it to the others. */
  get said(): EdgeDrill | null {
    return this.#follower.said;
  }

  /** What all edges have said of it so far. */
  soFar(drill: Drill): DrillTotals {
    return totalsOf(this.#supervisor.measured(drill));
  }

  /** See `DrillGauges`. */
  gauges() {
    const { said, present } = this;
    const running = said !== null && !said.over && present?.id === said.id ? present.region : null;
    const oldestFirst = this.#history.known.toReversed();
    return {
      running,
      recoveriesMs: new Map(oldestFirst.map(({ region, recoveryMs }) => [region, recoveryMs])),
    };
  }

  /** What speaks for and against a drill now. */
  outlook(plan: DrillPlan): DrillOutlook {
    const setting = this.#parts.setting();
    const moves = movesOfDrill(plan, setting);
    return {
      obstacle: this.#obstacle(),
      objections: objectionsToDrill(plan, setting),
      warnings: warningsOfDrill(plan, setting),
      moves,
      load: setting.traffic === undefined ? [] : loadsWithout(plan.region, moves, setting.traffic),
    };
  }

  /** Rejects with {@link NotBegun}, or with `SharedAway`. */
  async begin(wish: DrillWish, window: DrillWindow | null = null): Promise<Drill> {
    const { obstacle, objections } = this.outlook(wish);
    const refusal = obstacle ?? (wish.forced ? null : (objections[0] ?? null));
    if (refusal !== null) throw new NotBegun(refusal);
    const drill = this.#drillOf(wish);
    const { store } = this.#parts;
    if (!(await store.change(begunDrill(drill, wish.lastsMs, window))))
      throw new NotBegun(this.#obstacle() ?? OVERTAKEN);
    return this.present?.id === drill.id ? this.present : drill;
  }

  /** Resolves to the drill that it has stopped; null when none runs. Rejects with `SharedAway`. */
  async stop({ who, reason }: { readonly who: string; readonly reason: string }): Promise<Drill | null> {
    const drill = this.present;
    if (drill === null || drill.end !== null) return null;
    const end = { result: "stopped", who, why: reason } as const;
    return (await this.#parts.store.change(endedDrill(drill.id, end))) ? drill : null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#follower.close();
    await this.#supervisor.close();
  }

  #drillOf({ region, kind, who, reason, forced, abortAbove }: DrillWish): Drill {
    const { writer, epoch } = this.#parts.writes();
    return {
      ...{ id: randomUUID(), region, kind, who, reason, forced, abortAbove, epoch, writeRegion: writer },
      ...{ by: this.#parts.hash.selfKey, leaseUntilMs: 0, sinceMs: 0, untilMs: 0, window: null, end: null },
    };
  }

  #obstacle(): DrillRefusal | null {
    const drill = this.present;
    if (drill !== null) {
      const why = `a drill of ${drill.region} ${drill.end === null ? "runs" : "is being summed up"}`;
      return { ...OVERTAKEN, why };
    }
    if (this.#parts.writes().move === null) return null;
    return {
      word: "not_now",
      why: "the write region is being moved",
      instead: "Wait for the end of the move",
    };
  }

  #look(): void {
    if (this.#isClosed) return;
    const drill = this.present;
    this.#follower.look();
    this.#tell(drill);
    if (drill !== null) {
      this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
      this.#supervisor.look(drill);
    } else if (this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  /** Every edge says what it sees, whoever has begun or ended it. */
  #tell(drill: Drill | null): void {
    const { events } = this.#parts;
    const before = this.#seen;
    this.#seen = drill;
    if (before !== null && before.id !== drill?.id)
      void this.#tellEnded(before).catch((error: Error) => events.emit("failed", { where: "drill", error }));
    if (drill === null || drill.id === before?.id || drill.end !== null) return;
    const { id, region, kind, who, reason: why } = drill;
    const until = new Date(drill.untilMs).toISOString();
    events.emit("drillBegan", { drill: id, region, kind, until, who, why });
  }

  async #tellEnded(drill: Drill): Promise<void> {
    const report = (await this.#find(drill)) ?? this.#ownReport(drill);
    const reportedHere = drill.by === this.#parts.hash.selfKey;
    const { id, edges: _, ...told } = report;
    this.#parts.events.emit("drillEnded", { drill: id, ...told, reportedHere });
  }

  /** The report, once it is there. A drill that vanished with the shared memory has none, and its supervisor writes one. */
  async #find(drill: Drill): Promise<DrillReport | null> {
    for (let attempt = 0; attempt < FIND_ATTEMPTS && !this.#isClosed; attempt += 1) {
      const found = (await this.#history.read()).find(({ id }) => id === drill.id);
      if (found !== undefined) return found;
      if (drill.by === this.#parts.hash.selfKey)
        await this.#history.write(this.#ownReport(drill)).catch(unlessAway);
      await sleep(FIND_AGAIN_MS, undefined, { ref: false });
    }
    return null;
  }

  /** Of what this edge alone knows. */
  #ownReport(drill: Drill): DrillReport {
    const atMs = Math.min(drill.leaseUntilMs, this.#parts.hash.nowMs());
    const lost: DrillEnd = { result: "lost", who: "meridian", why: "the shared memory has lost it", atMs };
    return this.#supervisor.report({ ...drill, end: drill.end ?? lost });
  }
}

function unlessAway(error: unknown): void {
  if (!(error instanceof SharedAway)) throw error;
}
