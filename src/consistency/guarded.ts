import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { type RedisClient, redisCause } from "../redis.ts";
import { Breaker } from "./breaker.ts";
import { evictionPolicy } from "./eviction.ts";
import { RedisPinStore } from "./redis.ts";
import type { Pid, PinInspection, PinStore } from "./store.ts";

const PROBE_PIN_MS = 1;
const READY_POLL_MS = 10;

/** The shared store behind its circuit breaker: every call is answered within one command time-out. */
export class GuardedPinStore implements PinStore {
  readonly #store: PinStore;
  readonly #breaker: Breaker;

  constructor(store: PinStore, breaker: Breaker) {
    this.#store = store;
    this.#breaker = breaker;
  }

  get isUp(): boolean {
    return !this.#breaker.isOpen;
  }

  /** Waits for the first contact, but no longer than `timeoutMs`. */
  async ready(timeoutMs: number): Promise<boolean> {
    for (let waitedMs = 0; !this.isUp && waitedMs < timeoutMs; waitedMs += READY_POLL_MS)
      await sleep(READY_POLL_MS);
    return this.isUp;
  }

  begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    return this.#breaker.run(() => this.#store.begin(pids, writeId, ttlMs));
  }

  end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    return this.#breaker.run(() => this.#store.end(pids, writeId, ttlMs));
  }

  remaining(pids: readonly Pid[]): Promise<number> {
    return this.#breaker.run(() => this.#store.remaining(pids));
  }

  inspect(pid: Pid): Promise<PinInspection | null> {
    return this.#breaker.run(() => this.#store.inspect(pid));
  }

  release(pid: Pid): Promise<boolean> {
    return this.#breaker.run(() => this.#store.release(pid));
  }

  async close(): Promise<void> {
    this.#breaker.close();
    await this.#store.close();
  }
}

/**
 * The pins of a fleet over this connection. A lost connection opens the breaker at once, a new one is probed
 * at once. The probe is a pin and not a PING: a Redis that is full or read-only answers PING, yet takes none.
 * Warns at every new connection to a Redis that may forget pins to make room.
 */
export function guardRedis(
  client: RedisClient,
  namespace: string,
  parts: { readonly clock: Clock; readonly events: EventBus },
): GuardedPinStore {
  const store = new RedisPinStore(client, namespace);
  const probePid = randomBytes(16).toString("base64url");
  const breaker = new Breaker(() => store.begin([probePid], "probe", PROBE_PIN_MS), parts);
  client.on("error", (error: Error) => breaker.trip(redisCause(error)));
  client.on("close", () => breaker.trip("disconnected"));
  client.on("ready", () => {
    void breaker.probe();
    void warnOfEviction(client, parts.events);
  });
  return new GuardedPinStore(store, breaker);
}

async function warnOfEviction(client: RedisClient, events: EventBus): Promise<void> {
  const policy = await evictionPolicy(client);
  if (policy === null || policy === "noeviction") return;
  const detail = `maxmemory-policy is ${policy}, so a full Redis forgets who has just written; set noeviction`;
  events.emit("warned", { what: "redis may evict pins", detail });
}
