import type { Config } from "../config/schema.ts";
import type { EventBus } from "../events.ts";
import type { View } from "../routing/region.ts";
import { edgesIn, quorumOn } from "./edges.ts";
import { type Moved, NotMoved } from "./move-run.ts";
import { successors } from "./readiness.ts";
import { SharedAway, type SharedHash } from "./shared-hash.ts";
import type { Switchover } from "./switchover.ts";
import type { TopologyStore } from "./topology.ts";

/** After an attempt that failed, until the next. */
const AGAIN_AFTER_MS = 5_000;

export interface FailoverParts {
  readonly events: EventBus;
  readonly hash: SharedHash;
  readonly topology: TopologyStore;
  readonly switchover: Pick<Switchover, "move" | "adopt">;
  readonly view: () => View;
  readonly config: () => Config["failover"];
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * Moves the write region when most edges of the fleet see it down, and have for `after`. One edge alone never does: its network
 * may be what is broken. Each edge watches; the first to begin a move moves it.
 */
export class Failover {
  readonly #parts: FailoverParts;
  readonly #unsubscribe: () => void;
  /** Since when most have seen the write region down, as this edge heard it; null while they do not. */
  #downSinceMs: number | null = null;
  #notBeforeMs = 0;
  #isActing = false;

  constructor(parts: FailoverParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.hash.onHeard(() => void this.#look());
  }

  close(): void {
    this.#unsubscribe();
  }

  async #look(): Promise<void> {
    const { hash, topology, now, config } = this.#parts;
    const { move, holdDown } = topology.get();
    const isDown = this.#isDown();
    this.#downSinceMs = isDown ? (this.#downSinceMs ?? now()) : null;
    if (!hash.isShared || move !== null || this.#isActing || now() < this.#notBeforeMs) return;
    const elsewhere = this.#promotedElsewhere();
    if (elsewhere !== null) return this.#act(() => this.#parts.switchover.adopt(elsewhere));
    if (config().mode !== "automatic" || this.#downSinceMs === null) return;
    if (now() - this.#downSinceMs < config().after) return;
    if (holdDown !== null && hash.nowMs() < holdDown.untilMs) return;
    await this.#act(() => this.#failOver());
  }

  #isDown(): boolean {
    const { hash, topology } = this.#parts;
    const { writer } = topology.get();
    if (writer === null || !hash.isShared) return false;
    const { down, needed } = quorumOn(writer, edgesIn(hash));
    return down >= needed;
  }

  /**
   * The region that takes writes by its own word, in a newer epoch, while the write region takes none. Only by an epoch that a hook
   * of this fleet may have told it, or where the operator lets writes move by themselves.
   */
  #promotedElsewhere(): { readonly to: string; readonly epoch: number } | null {
    const { mode } = this.#parts.config();
    const { epoch, spent, writer } = this.#parts.topology.get();
    const { regions, byId } = this.#parts.view();
    const old = byId.get(writer ?? "");
    if (old === undefined || (old.health !== "down" && old.writer !== false)) return null;
    const others = regions.filter(({ id, writer: claims, applied, health }) => {
      const claimed = applied?.epoch ?? 0;
      const isOurs = claimed <= spent || mode === "automatic";
      return id !== writer && claims === true && health === "up" && claimed > epoch && isOurs;
    });
    const [only] = others;
    return only?.applied && others.length === 1 ? { to: only.id, epoch: only.applied.epoch } : null;
  }

  async #failOver(): Promise<Moved> {
    const { hash, config, view, switchover } = this.#parts;
    const { order, after } = config();
    const { regions, writeRegion } = view();
    const may = regions.filter(
      ({ id, role }) => id !== writeRegion && (order.length > 0 ? order.includes(id) : role !== "standby"),
    );
    const [to] = successors(may, order);
    if (to === undefined) throw new NotMoved(`no region can take over from ${writeRegion}`);
    const { down, known } = quorumOn(writeRegion, edgesIn(hash));
    const reason = `${writeRegion} was down for ${after} ms in the eyes of ${down} of ${known} edges`;
    const wanted = { to: to.id, automatic: true, forced: false, who: "failover", reason };
    return switchover.move(wanted);
  }

  async #act(work: () => Promise<Moved>): Promise<void> {
    const { events, now } = this.#parts;
    this.#isActing = true;
    try {
      await work();
    } catch (error) {
      this.#notBeforeMs = now() + AGAIN_AFTER_MS;
      const known = error instanceof NotMoved || error instanceof SharedAway;
      if (known) events.emit("warned", { what: "no failover", detail: (error as Error).message });
      else events.emit("failed", { where: "failover", error: error as Error });
    } finally {
      this.#isActing = false;
    }
  }
}
