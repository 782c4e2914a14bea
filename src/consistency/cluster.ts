import { randomBytes } from "node:crypto";
import { EventBus } from "../events.ts";
import type { RedisClient } from "../redis.ts";
import type { Position } from "../routing/position.ts";
import { BirthMark } from "./birth-mark.ts";
import type { FleetParts } from "./fleet-pins.ts";
import { AMNESIA, type FleetPinStore, GuardedPinStore, isUpWithin } from "./guarded.ts";
import { together } from "./look-ups.ts";
import { RedisPinStore, SHARDS, shardKey, shardOf } from "./redis.ts";
import { type Held, joinedHeld, type Pid, type PinInspection, type Welcome } from "./store.ts";

/**
 * Pins on the nodes of a Redis Cluster. A node that is away concerns only the users whose shards it has: each shard
 * has its own breaker, birth mark and quarantine, wherever its keys live and move to. Says `redisState` of the whole:
 * down with the first shard that is, up with the last.
 */
export class ClusterPinStore implements FleetPinStore {
  readonly #shards: readonly GuardedPinStore[];
  readonly #events: EventBus;
  /** What was last said to the world; null before the first word. */
  #said: boolean | null = null;

  /** The connection stays its maker's to close. */
  constructor(client: RedisClient, namespace: string, { clock, events, tells }: FleetParts) {
    const store = new RedisPinStore(client, namespace, tells);
    this.#events = events;
    this.#shards = Array.from({ length: SHARDS }, (_, shard) => {
      const news = new EventBus();
      news.on("redisState", ({ up, cause }) => this.#hear(up, cause));
      const mark = new BirthMark(client, shardKey(namespace, shard, "born"));
      return new GuardedPinStore({ store, mark, probePid: pidIn(shard), clock, events: news });
    });
  }

  get isUp(): boolean {
    return this.#shards.every(({ isUp }) => isUp);
  }

  ready(timeoutMs: number): Promise<boolean> {
    return isUpWithin(this, timeoutMs);
  }

  partOf(pid: Pid): number {
    return shardOf(pid);
  }

  onReturn(welcome: Welcome): void {
    for (const [part, shard] of this.#shards.entries())
      shard.onReturn((found, store) => welcome({ ...found, part }, store));
  }

  /** The connection to the cluster is lost. */
  trip(cause: string): void {
    for (const { breaker } of this.#shards) breaker.trip(cause);
  }

  /** The connection to the cluster is there. */
  probe(): void {
    for (const { breaker } of this.#shards) void breaker.probe();
  }

  /** A node is gone; which shards it had, the others tell. */
  doubt(): void {
    for (const shard of this.#shards) void shard.doubt();
  }

  async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    await Promise.all(pids.map((pid) => this.#of(pid).begin([pid], writeId, ttlMs)));
  }

  async end(pids: readonly Pid[], writeId: string, ttlMs: number, position?: Position | null): Promise<void> {
    await Promise.all(pids.map((pid) => this.#of(pid).end([pid], writeId, ttlMs, position)));
  }

  async remaining(pids: readonly Pid[]): Promise<number> {
    const left = together(await this.remainingOfEach(pids), 0, pids.length);
    if (typeof left !== "number") throw left;
    return left;
  }

  /** One question to each shard. */
  async remainingOfEach(pids: readonly Pid[]): Promise<readonly (number | Error)[]> {
    const answers: (number | Error)[] = [];
    const inShard = Map.groupBy(pids.keys(), (at) => shardOf(pids[at] ?? ""));
    const ask = async (places: readonly number[]) => {
      const asked = places.flatMap((at) => pids[at] ?? []);
      const [first = ""] = asked;
      try {
        for (const [index, left] of (await this.#of(first).remainingOfEach(asked)).entries())
          answers[places[index] ?? 0] = left;
      } catch (error) {
        for (const at of places) answers[at] = error as Error;
      }
    };
    await Promise.all([...inShard.values()].map(ask));
    return answers;
  }

  /** A name of the user that cannot be asked for may hold more than the others say. */
  async held(pids: readonly Pid[]): Promise<Held | null> {
    const asked = await Promise.allSettled(pids.map((pid) => this.#of(pid).held([pid])));
    const found = joinedHeld(asked.map((answer) => (answer.status === "fulfilled" ? answer.value : null)));
    const failure = asked.find(({ status }) => status === "rejected");
    if (failure?.status !== "rejected") return found;
    if (found === null) throw failure.reason;
    return { ...found, hold: { ...found.hold, open: true } };
  }

  inspect(pid: Pid): Promise<PinInspection | null> {
    return this.#of(pid).inspect(pid);
  }

  release(pid: Pid): Promise<boolean> {
    return this.#of(pid).release(pid);
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.close()));
  }

  #of(pid: Pid): GuardedPinStore {
    const shard = this.#shards[shardOf(pid)];
    if (shard === undefined) throw new RangeError("no such shard");
    return shard;
  }

  /** One shard's news is the world's when it is true of the whole. */
  #hear(up: boolean, cause: string | null): void {
    // The others on that node have forgotten as well; each would find out by itself, but later.
    if (!up && cause === AMNESIA) this.doubt();
    if (up !== this.isUp || this.#said === up) return;
    this.#said = up;
    this.#events.emit("redisState", { up, cause });
  }
}

/** Nobody's pid, in this shard. */
function pidIn(shard: number): Pid {
  return Buffer.from([shard, ...randomBytes(15)]).toString("base64url");
}
