import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { redisCause } from "../redis.ts";
import { StoreAway } from "./breaker.ts";
import { MemoryPinStore } from "./memory.ts";
import type { Pid, PinInspection, PinStore } from "./store.ts";

/** Whether the store that every edge reads has a write's pin. */
export type Recorded = "recorded" | "unrecorded";

/** What the stores say; `unknown` when the shared one did not answer. */
export type LookUp = "pinned" | "free" | "unknown";

/**
 * The two places of a pin: this process, at once and always, and the store that all edges share, if there is
 * one. The local layer covers a user who stays with this edge while Redis is away.
 */
export class PinLayers {
  readonly #clock: Clock;
  readonly #events: EventBus;
  readonly #local: MemoryPinStore;
  readonly #shared: PinStore | null;
  #away = false;

  constructor(shared: PinStore | null, parts: { readonly clock: Clock; readonly events: EventBus }) {
    this.#clock = parts.clock;
    this.#events = parts.events;
    this.#local = new MemoryPinStore(parts.clock);
    this.#shared = shared;
  }

  /** True while the last thing known of the shared store is that it does not answer. */
  get isAway(): boolean {
    return this.#away;
  }

  /** Never rejects. The local pin holds when this returns, the shared one when it resolves `recorded`. */
  begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<Recorded> {
    void this.#local.begin(pids, writeId, ttlMs);
    return this.#record("begin", (store) => store.begin(pids, writeId, ttlMs));
  }

  /** Never rejects. When it is not recorded, the intent lives out its time in the shared store. */
  end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<Recorded> {
    void this.#local.end(pids, writeId, ttlMs);
    return this.#record("end", (store) => store.end(pids, writeId, ttlMs));
  }

  isPinnedHere(pids: readonly Pid[]): boolean {
    return this.#local.remainingNow(pids) > 0;
  }

  /** Never rejects. One round trip, unless this process knows already that they are pinned. */
  async lookUp(pids: readonly Pid[]): Promise<LookUp> {
    if (this.isPinnedHere(pids)) return "pinned";
    const shared = this.#shared;
    if (shared === null) return "free";
    const askedAtMs = this.#clock.now();
    const left = await this.#ask("remaining", () => shared.remaining(pids));
    if (left === "away") return "unknown";
    const result = left === "failed" ? "unknown" : left > 0 ? "pinned" : "free";
    this.#events.emit("pinLookedUp", { durationMs: this.#clock.now() - askedAtMs, result });
    return result;
  }

  /** Rejects when the shared store cannot be asked. */
  inspect(pid: Pid): Promise<PinInspection | null> {
    return (this.#shared ?? this.#local).inspect(pid);
  }

  /** Rejects when the shared store cannot be told. Other edges' own layers keep what they know. */
  async release(pid: Pid): Promise<boolean> {
    const there = (await this.#shared?.release(pid)) ?? false;
    const here = await this.#local.release(pid);
    return there || here;
  }

  /** Users whose pins this process holds itself. */
  count(): number {
    return this.#local.count();
  }

  async close(): Promise<void> {
    await this.#shared?.close();
    await this.#local.close();
  }

  async #record(op: string, command: (store: PinStore) => Promise<void>): Promise<Recorded> {
    const shared = this.#shared;
    if (shared === null) return "recorded";
    const answer = await this.#ask(op, () => command(shared));
    return answer === "failed" || answer === "away" ? "unrecorded" : "recorded";
  }

  /** `away`: it was not even asked, which is no news and no failure. */
  async #ask<T>(op: string, command: () => Promise<T>): Promise<T | "failed" | "away"> {
    try {
      const answer = await command();
      this.#away = false;
      return answer;
    } catch (error) {
      this.#away = true;
      if (error instanceof StoreAway) return "away";
      this.#events.emit("pinStoreFailed", { op, cause: redisCause(error) });
      return "failed";
    }
  }
}
