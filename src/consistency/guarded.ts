import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { type RedisClient, redisCause } from "../redis.ts";
import { BirthMark } from "./birth-mark.ts";
import { Breaker } from "./breaker.ts";
import { evictionPolicy } from "./eviction.ts";
import { RedisPinStore } from "./redis.ts";
import type { Pid, PinInspection, PinStore, Welcome } from "./store.ts";

const PROBE_PIN_MS = 1;
const READY_POLL_MS = 10;
/** How long a Redis that was emptied without a word may go unnoticed. */
const MEMORY_CHECK_MS = 1_000;

/** What the guard needs of the shared store, besides its pins. */
export interface Guarded {
  readonly store: PinStore;
  readonly mark: Pick<BirthMark, "look" | "isSame">;
  readonly clock: Clock;
  readonly events: EventBus;
}

/**
 * The shared store behind its circuit breaker: every call is answered within one command time-out. Before it counts
 * as up, whoever listens has had the chance to tell it what it may have missed. Every second it is asked whether it
 * is still the one it was, which also tells an edge without traffic that it is away.
 */
export class GuardedPinStore implements PinStore {
  /** Tripped and probed by whoever knows of the connection. */
  readonly breaker: Breaker;
  readonly #store: PinStore;
  readonly #mark: Guarded["mark"];
  readonly #probePid = randomBytes(16).toString("base64url");
  readonly #memoryCheck: NodeJS.Timeout;
  #welcome: Welcome | null = null;

  constructor({ store, mark, clock, events }: Guarded) {
    this.#store = store;
    this.#mark = mark;
    this.breaker = new Breaker((afterFailure) => this.#arrive(afterFailure), { clock, events });
    this.#memoryCheck = setInterval(() => void this.#checkMemory(), MEMORY_CHECK_MS).unref();
  }

  get isUp(): boolean {
    return !this.breaker.isOpen;
  }

  /** Waits for the first contact, but no longer than `timeoutMs`. */
  async ready(timeoutMs: number): Promise<boolean> {
    for (let waitedMs = 0; !this.isUp && waitedMs < timeoutMs; waitedMs += READY_POLL_MS)
      await sleep(READY_POLL_MS);
    return this.isUp;
  }

  begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    return this.breaker.run(() => this.#store.begin(pids, writeId, ttlMs));
  }

  end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    return this.breaker.run(() => this.#store.end(pids, writeId, ttlMs));
  }

  remaining(pids: readonly Pid[]): Promise<number> {
    return this.breaker.run(() => this.#store.remaining(pids));
  }

  inspect(pid: Pid): Promise<PinInspection | null> {
    return this.breaker.run(() => this.#store.inspect(pid));
  }

  release(pid: Pid): Promise<boolean> {
    return this.breaker.run(() => this.#store.release(pid));
  }

  onReturn(welcome: Welcome): void {
    this.#welcome = welcome;
  }

  async close(): Promise<void> {
    clearInterval(this.#memoryCheck);
    this.breaker.close();
    await this.#store.close();
  }

  /** The probe is a pin and not a PING: a Redis that is full or read-only answers PING, yet takes none. */
  async #arrive(afterOutage: boolean): Promise<string | null> {
    const probe = this.#store.begin([this.#probePid], "probe", PROBE_PIN_MS);
    const [memoryMs] = await Promise.all([this.#mark.look(), probe]);
    return this.#welcome === null ? null : this.#welcome({ memoryMs, afterOutage }, this.#store);
  }

  async #checkMemory(): Promise<void> {
    if (!this.isUp) return;
    const isSame = await this.breaker.run(() => this.#mark.isSame()).catch(() => true);
    if (isSame || !this.isUp) return;
    this.breaker.trip("amnesia");
    await this.breaker.probe();
  }
}

/**
 * The pins of a fleet over this connection. A lost one opens the breaker at once, a new one is probed at once.
 * Warns at every new connection to a Redis that may forget pins to make room.
 */
export function guardRedis(
  client: RedisClient,
  namespace: string,
  parts: { readonly clock: Clock; readonly events: EventBus },
): GuardedPinStore {
  const store = new RedisPinStore(client, namespace);
  const guarded = new GuardedPinStore({ store, mark: new BirthMark(client, namespace), ...parts });
  const { breaker } = guarded;
  client.on("error", (error: Error) => breaker.trip(redisCause(error)));
  client.on("close", () => breaker.trip("closed"));
  client.on("ready", () => {
    void breaker.probe();
    void warnOfEviction(client, parts.events);
  });
  return guarded;
}

async function warnOfEviction(client: RedisClient, events: EventBus): Promise<void> {
  const policy = await evictionPolicy(client);
  if (policy === null || policy === "noeviction") return;
  const detail = `maxmemory-policy is ${policy}, so a full Redis forgets who has just written; set noeviction`;
  events.emit("warned", { what: "redis may evict pins", detail });
}
