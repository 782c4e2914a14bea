import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { redisCause } from "../redis.ts";
import { BY_WRITER, type Hold, joinedHolds } from "../routing/hold.ts";
import type { Position } from "../routing/position.ts";
import { StoreAway } from "./breaker.ts";
import type { PinFeed } from "./feed.ts";
import { LookUps } from "./look-ups.ts";
import { MemoryPinStore, type PinStorm } from "./memory.ts";
import { type PinTimes, quarantineMs } from "./quarantine.ts";
import { Reassertion } from "./reassertion.ts";
import { type Pid, type PinInspection, type PinStore, POSITIONED, type Return } from "./store.ts";

/** Whether the store that every edge reads has a write's pin. */
export type Recorded = "recorded" | "unrecorded";

/** What the stores say: what holds the user, that nothing does, or that the shared one did not answer. */
export type LookUp = Hold | "free" | "unknown";

/** What is sent before a store that is back counts as up; the rest follows. */
const AT_ONCE = { atMost: 10_000, withinMs: 1_000 };
/** Until a chunk that the store did not take is sent again. */
const RETRY_MS = 250;
/** The part of a store that has none. */
const WHOLE = 0;

/** How a pin is looked up. */
export interface Question {
  /** Whether it matters what the pin holds its user to. */
  readonly exact: boolean;
  /** Whether a fresh feed that knows of no pin is an answer. */
  readonly believesFeed: boolean;
}

export interface LayerParts {
  readonly clock: Clock;
  readonly events: EventBus;
  readonly times: () => PinTimes;
  /** What other edges write, as far as this one follows it; null when it cannot. */
  readonly feed: PinFeed | null;
}

/**
 * The two places of a pin: this process, at once and always, and the store that all edges share, if there is
 * one. The local layer covers a user who stays with this edge while Redis is away, and tells Redis when it is back.
 * The feed knows of pins that others have made; they are not this edge's to tell.
 */
export class PinLayers {
  readonly #clock: Clock;
  readonly #events: EventBus;
  readonly #times: () => PinTimes;
  readonly #local: MemoryPinStore;
  readonly #shared: PinStore | null;
  readonly #feed: PinFeed | null;
  readonly #lookUps: Pick<PinStore, "remaining"> | null;
  #away = false;
  /** By the parts of the shared store: until when what it does not know means nothing. */
  readonly #quarantineEndsAtMs = new Map<number, number>();
  /** What a part of the shared store is being told. */
  readonly #reassertions = new Map<number, Reassertion>();

  constructor(shared: PinStore | null, { clock, events, times, feed }: LayerParts) {
    this.#clock = clock;
    this.#events = events;
    this.#times = times;
    this.#local = new MemoryPinStore(clock);
    this.#shared = shared;
    const ofEach = shared?.remainingOfEach?.bind(shared);
    this.#lookUps = ofEach === undefined ? shared : new LookUps(ofEach);
    this.#feed = feed;
    shared?.onReturn?.((found, store) => this.#welcome(found, store));
  }

  /** False while the shared store does not answer, or what it does not know means nothing. */
  get isSure(): boolean {
    return !this.#away && ![...this.#quarantineEndsAtMs.keys()].some((part) => this.#isQuarantined(part));
  }

  /** Never rejects. The local pin holds when this returns, the shared one when it resolves `recorded`. */
  async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<Recorded> {
    void this.#local.begin(pids, writeId, ttlMs);
    const recorded = await this.#record("begin", (store) => store.begin(pids, writeId, ttlMs));
    if (recorded === "unrecorded") this.#reassert(pids, writeId);
    return recorded;
  }

  /** Never rejects. When it is not recorded, the intent lives out its time in the shared store. */
  async end(
    pids: readonly Pid[],
    writeId: string,
    ttlMs: number,
    position: Position | null = null,
  ): Promise<Recorded> {
    void this.#local.end(pids, writeId, ttlMs, position);
    const recorded = await this.#record("end", (store) => store.end(pids, writeId, ttlMs, position));
    // The intent that was to be told has given way to a member of which nobody knew when the telling began.
    if (recorded === "unrecorded" && position !== null) this.#reassert(pids, POSITIONED);
    return recorded;
  }

  /** What this edge's own writes hold these users to; null when they do not. */
  holdHere(pids: readonly Pid[]): Hold | null {
    return this.#local.holdNow(pids);
  }

  /** Whether another edge has told of a write of theirs. */
  isTold(pids: readonly Pid[]): boolean {
    return this.#feed?.believes(pids) === true;
  }

  /**
   * Never rejects. One round trip, unless a fresh feed knows that they are not pinned. Of a pin it says only that
   * there is one, or with `exact` what it holds the user to.
   */
  async lookUp(pids: readonly Pid[], { exact, believesFeed }: Question): Promise<LookUp> {
    const here = this.holdHere(pids);
    const shared = this.#shared;
    if (shared === null) return here ?? "free";
    if (!exact && here !== null) return here;
    if (here === null && believesFeed && this.#isToldFree(pids)) return "free";
    const askedAtMs = this.#clock.now();
    const answer = await this.#ask("remaining", () => this.#askFor(shared, pids, exact));
    const result = this.#meaningOf(answer, pids);
    if (answer !== "away") {
      const word = typeof result === "string" ? result : "pinned";
      this.#events.emit("pinLookedUp", { durationMs: this.#clock.now() - askedAtMs, result: word });
    }
    if (here === null || result === "unknown") return result;
    // What was not recorded is nowhere but here, and what else was not recorded nobody knows.
    return result === "free" ? { ...here, open: true } : (joinedHolds(result, here) ?? here);
  }

  /** Rejects when the shared store cannot be asked. */
  inspect(pid: Pid): Promise<PinInspection | null> {
    return (this.#shared ?? this.#local).inspect(pid);
  }

  /** Rejects when the shared store cannot be told. Other edges' own layers keep what they know. */
  async release(pid: Pid): Promise<boolean> {
    const there = (await this.#shared?.release(pid)) ?? false;
    const here = await this.#local.release(pid);
    this.#feed?.forget(pid);
    return there || here;
  }

  /** Users who have just turned out to have been pinned for longer than this without a pause, each told of once. */
  newStorms(pids: readonly Pid[], afterMs: number): readonly (PinStorm & { readonly pid: Pid })[] {
    return pids.flatMap((pid) => {
      const storm = this.#local.newStorm(pid, afterMs);
      return storm === null ? [] : { ...storm, pid };
    });
  }

  countStorms(afterMs: number): number {
    return this.#local.countStorms(afterMs);
  }

  /** Users whose pins this process holds itself. */
  count(): number {
    return this.#local.count();
  }

  countIn(region: string): number {
    return this.#local.countIn(region);
  }

  async close(): Promise<void> {
    await this.#feed?.close();
    this.#reassertions.clear();
    await this.#shared?.close();
    await this.#local.close();
  }

  async #askFor(store: PinStore, pids: readonly Pid[], exact: boolean): Promise<Hold | null> {
    if (exact) return (await store.held(pids))?.hold ?? null;
    return ((await this.#lookUps?.remaining(pids)) ?? 0) > 0 ? BY_WRITER : null;
  }

  async #record(op: string, command: (store: PinStore) => Promise<void>): Promise<Recorded> {
    const shared = this.#shared;
    if (shared === null) return "recorded";
    const answer = await this.#ask(op, () => command(shared));
    return answer === "failed" || answer === "away" ? "unrecorded" : "recorded";
  }

  /** Told with the rest, if a part of the store that is back is being told what it may have missed. */
  #reassert(pids: readonly Pid[], writeId: string): void {
    for (const pid of pids) this.#reassertions.get(this.#partOf(pid))?.add([pid], writeId);
  }

  #partOf(pid: Pid): number {
    return this.#shared?.partOf?.(pid) ?? WHOLE;
  }

  #isQuarantined(part: number): boolean {
    return this.#clock.now() < (this.#quarantineEndsAtMs.get(part) ?? 0);
  }

  /** Knowledge that is at most `staleness` old; never the memory of an earlier look-up. */
  #isToldFree(pids: readonly Pid[]): boolean {
    const feed = this.#feed;
    return feed?.isFresh === true && this.isSure && this.#shared?.isUp !== false && !feed.holds(pids);
  }

  /** In quarantine a pin is believed, but not that it is all there is. */
  #meaningOf(answer: Hold | null | "failed" | "away", pids: readonly Pid[]): LookUp {
    const isWhole = !pids.some((pid) => this.#isQuarantined(this.#partOf(pid)));
    if (answer !== null && typeof answer === "object") return isWhole ? answer : { ...answer, open: true };
    if (answer === null && isWhole) return "free";
    return this.#feed?.holds(pids) ? BY_WRITER : "unknown";
  }

  /** What was pinned here is pinned there again, and what others may still have to tell is waited for. */
  async #welcome(found: Return, store: PinStore): Promise<string | null> {
    const { part = WHOLE } = found;
    const reassertion = new Reassertion(this.#local, this.#clock, (pid) => this.#partOf(pid) === part);
    this.#reassertions.set(part, reassertion);
    await reassertion.run(store, AT_ONCE);
    const forMs = quarantineMs(found, this.#times());
    const endsAtMs = this.#quarantineEndsAtMs.get(part) ?? 0;
    this.#quarantineEndsAtMs.set(part, Math.max(endsAtMs, this.#clock.now() + forMs));
    setImmediate(() => void this.#reassertRest(part, reassertion));
    return forMs > 0 ? `quarantine for ${Math.ceil(forMs)} ms` : null;
  }

  /** Beside the traffic, until all is told, or the store went away and a new round has taken over. */
  async #reassertRest(part: number, reassertion: Reassertion): Promise<void> {
    const shared = this.#shared;
    const isCurrent = () => this.#reassertions.get(part) === reassertion;
    while (shared !== null && !reassertion.isDone && isCurrent())
      await reassertion.step(shared).catch(() => sleep(RETRY_MS, undefined, { ref: false }));
    if (isCurrent()) this.#reassertions.delete(part);
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
