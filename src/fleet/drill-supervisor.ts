import { setTimeout as sleep } from "node:timers/promises";
import type { EventBus } from "../events.ts";
import { objectionToGoingOn } from "../routing/drill.ts";
import type { Setting } from "../routing/moves.ts";
import {
  abandonedDrill,
  type Drill,
  type DrillEnd,
  endedDrill,
  settledDrill,
  supervised,
  takenOverDrill,
} from "./drill.ts";
import type { DrillHistory } from "./drill-history.ts";
import {
  type DrillReport,
  type EdgeDrill,
  type MeasuredEdge,
  reportOfDrill,
  totalsOf,
  whyAbort,
} from "./drill-report.ts";
import type { DrillStore } from "./drill-store.ts";
import { edgesIn } from "./edges.ts";
import { LEASE_MS, type Move } from "./move.ts";
import { SharedAway, type SharedHash } from "./shared-hash.ts";

/** How often a supervisor says that it lives. */
const RENEW_MS = LEASE_MS / 5;
/** What the edges may take to say what they have measured. */
const TOLD_WITHIN_MS = 3_000;
const LOOK_AGAIN_MS = 100;

export interface DrillSupervisorParts {
  readonly events: EventBus;
  readonly hash: SharedHash;
  readonly store: DrillStore;
  readonly history: DrillHistory;
  /** What this edge itself has measured. */
  readonly own: () => EdgeDrill | null;
  /** Where writes go, and whether they are being moved. */
  readonly writes: () => WritesOfFleet;
  readonly setting: () => Setting;
}

export interface WritesOfFleet {
  readonly writer: string | null;
  readonly epoch: number;
  readonly move: Move | null;
}

/**
 * What an edge does about a drill of the fleet: supervises its own and ends it in time, takes over what nobody supervises any more,
 * and writes the report of either from what all edges have measured.
 */
export class DrillSupervisor {
  readonly #parts: DrillSupervisorParts;
  /** What was last heard of each edge, by its name in the shared hash: one that stops takes its word away. */
  #heard: { readonly drill: string; readonly byEdge: Map<string, MeasuredEdge> } = {
    drill: "",
    byEdge: new Map(),
  };
  #working: Promise<void> | null = null;
  #isClosed = false;

  constructor(parts: DrillSupervisorParts) {
    this.#parts = parts;
  }

  /** Does what is due now. While the shared memory is away that is nothing, and the lease runs out. */
  look(drill: Drill): void {
    if (this.#isClosed) return;
    this.#working ??= this.#work(drill)
      .catch((error: unknown) => this.#broke(error))
      .finally(() => {
        this.#working = null;
      });
  }

  /** Ends what this edge supervises: nobody would. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#working;
    const { drill } = this.#parts.store.get();
    if (drill?.by !== this.#self) return;
    await this.#parts.store.change(abandonedDrill(drill.id, this.#self)).catch(() => false);
  }

  /** What each edge has said of it so far, those too that have stopped or died since. */
  measured({ id }: Drill): readonly MeasuredEdge[] {
    if (this.#heard.drill !== id) this.#heard = { drill: id, byEdge: new Map() };
    for (const { key, id: edge, drill, isSelf } of edgesIn(this.#parts.hash)) {
      const said = isSelf ? this.#parts.own() : drill;
      if (said?.id !== id) continue;
      const { id: _, over: __, ...measures } = said;
      this.#heard.byEdge.set(key, { edge, ...measures });
    }
    return [...this.#heard.byEdge.values()];
  }

  /** The report by what is known now. */
  report(drill: Drill): DrillReport {
    const { writer, epoch } = this.#parts.writes();
    return reportOfDrill(drill, this.measured(drill), { region: writer, epoch });
  }

  async #work(drill: Drill): Promise<void> {
    const { id, by, end, leaseUntilMs } = drill;
    const nowMs = this.#parts.hash.nowMs();
    if (leaseUntilMs <= nowMs) await this.#parts.store.change(takenOverDrill(id, this.#self));
    else if (by !== this.#self) return;
    else if (end !== null) await this.#settle(drill);
    else await this.#supervise(drill, nowMs);
  }

  async #supervise(drill: Drill, nowMs: number): Promise<void> {
    const { id, leaseUntilMs } = drill;
    const { store } = this.#parts;
    const end = this.#verdict(drill, nowMs);
    if (end !== null) await store.change(endedDrill(id, end));
    else if (leaseUntilMs - nowMs < LEASE_MS - RENEW_MS) await store.change(supervised(id, this.#self));
  }

  /** How it has to end now; null when it goes on. */
  #verdict(drill: Drill, nowMs: number): Omit<DrillEnd, "atMs"> | null {
    const { region, who, untilMs, abortAbove, forced } = drill;
    if (nowMs >= untilMs) return { result: "passed", who, why: "its time was over" };
    const { move } = this.#parts.writes();
    if (move !== null && !(move.automatic && move.from === region))
      return { result: "stopped", who: move.who, why: `the write region is being moved to ${move.to}` };
    const hurts = whyAbort(totalsOf(this.measured(drill)), abortAbove);
    if (hurts !== null) return { result: "aborted", who, why: hurts };
    const stranded = forced ? null : objectionToGoingOn(region, this.#parts.setting());
    return stranded === null ? null : { result: "aborted", who, why: stranded.why };
  }

  /** Waits for what the edges have measured, and writes the report. */
  async #settle(drill: Drill): Promise<void> {
    const { hash, history, store } = this.#parts;
    const endAtMs = performance.now() + TOLD_WITHIN_MS;
    const isMissing = () =>
      edgesIn(hash).some(({ live, drill: said }) => live && said?.id === drill.id && !said.over);
    while (isMissing() && performance.now() < endAtMs && !this.#isClosed) {
      await sleep(LOOK_AGAIN_MS);
      await hash.refresh();
    }
    const report = this.report(drill);
    await history.write(report);
    if (await store.change(settledDrill(drill.id, this.#self))) this.#audit(drill, report);
  }

  #audit({ region, who, id, kind }: Drill, { result, why, lost, requests, recoveryMs }: DrillReport): void {
    const what = result === "aborted" ? "abort-drill" : "end-drill";
    const after = { result, requests, lost, recoveryMs };
    const before = { drill: id, kind };
    this.#parts.events.emit("audited", { who, what, target: region, before, after, why, result: "done" });
  }

  get #self(): string {
    return this.#parts.hash.selfKey;
  }

  #broke(error: unknown): void {
    if (error instanceof SharedAway) return;
    const told = error instanceof Error ? error : new Error(String(error));
    this.#parts.events.emit("failed", { where: "drill", error: told });
  }
}
