import { type RedisClient, sendTogether } from "../redis.ts";
import type { Position } from "../routing/position.ts";
import { feedKey } from "./feed-script.ts";
import { PIN_SCRIPTS } from "./pin-scripts.ts";
import {
  fixedWidth,
  type Held,
  holdOf,
  joinedHeld,
  type Pid,
  type PinInspection,
  type PinStore,
  readPositions,
} from "./store.ts";

/** Keys spread over this many hash tags, so that a Redis Cluster spreads them over its nodes. */
export const SHARDS = 16;

/** Of base64url (RFC 4648 §5). */
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** What Redis says when the keys of one command are on several of its nodes. */
const APART = "CROSSSLOT";

/** In the order of the question; the mark of none is null. */
export interface Remaining {
  readonly left: readonly number[];
  readonly mark: unknown;
}

type HeldAnswer = readonly [remainingMs: unknown, members: readonly string[], positions: unknown];

type PlaceArguments = readonly [
  key: string,
  feed: string,
  positionsKey: string,
  writeId: string,
  ttlMs: number,
  pid: Pid,
  position: string,
];

/** The scripts as ioredis defines them: by hash, and in full when Redis does not know the hash. */
interface PinCommands {
  meridianBegin(key: string, writeId: string, ttlMs: number): Promise<unknown>;
  meridianEnd(key: string, writeId: string, ttlMs: number): Promise<unknown>;
  meridianBeginTold(key: string, feed: string, writeId: string, ttlMs: number, pid: Pid): Promise<unknown>;
  meridianEndTold(key: string, feed: string, writeId: string, ttlMs: number, pid: Pid): Promise<unknown>;
  meridianPlace(...given: PlaceArguments): Promise<unknown>;
  meridianPlaceTold(...given: PlaceArguments): Promise<unknown>;
  meridianRemaining(keyCount: number, ...keys: readonly string[]): Promise<readonly unknown[]>;
  meridianHeld(key: string, positionsKey: string): Promise<HeldAnswer | null>;
  meridianInspect(key: string): Promise<readonly [remainingMs: unknown, writes: unknown] | null>;
}

/**
 * Pins that all edges share: a ZSET for each user, whose members are writes and whose scores are deadlines in
 * Redis milliseconds. Every call is one round trip, whatever the number of users in it. Needs Redis 6.2.
 */
export class RedisPinStore implements PinStore {
  readonly #client: RedisClient & PinCommands;
  readonly #namespace: string;
  /** Of the keys of pins, by their shards. */
  readonly #pinPrefixes: readonly string[];
  readonly #tells: () => boolean;
  /** Whether one command may not ask for several users: there is a cluster behind what looks like one Redis. */
  #keysAreApart = false;

  /** Tells the feed too while `tells` says so. The connection stays its maker's to close. */
  constructor(client: RedisClient, namespace: string, tells: () => boolean = () => false) {
    client.defineCommand("meridianBegin", { lua: PIN_SCRIPTS.begin, numberOfKeys: 1 });
    client.defineCommand("meridianEnd", { lua: PIN_SCRIPTS.end, numberOfKeys: 1 });
    client.defineCommand("meridianBeginTold", { lua: PIN_SCRIPTS.beginTold, numberOfKeys: 2 });
    client.defineCommand("meridianEndTold", { lua: PIN_SCRIPTS.endTold, numberOfKeys: 2 });
    client.defineCommand("meridianPlace", { lua: PIN_SCRIPTS.place, numberOfKeys: 3 });
    client.defineCommand("meridianPlaceTold", { lua: PIN_SCRIPTS.placeTold, numberOfKeys: 3 });
    client.defineCommand("meridianRemaining", { lua: PIN_SCRIPTS.remaining });
    client.defineCommand("meridianHeld", { lua: PIN_SCRIPTS.held, numberOfKeys: 2 });
    client.defineCommand("meridianInspect", { lua: PIN_SCRIPTS.inspect, numberOfKeys: 1 });
    this.#client = client as RedisClient & PinCommands;
    this.#namespace = namespace;
    this.#pinPrefixes = Array.from({ length: SHARDS }, (_, shard) => shardKey(namespace, shard, "p:"));
    this.#tells = tells;
  }

  async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    const ttl = Math.ceil(ttlMs);
    sendTogether(this.#client);
    const done = pids.map((pid) =>
      this.#tells()
        ? this.#client.meridianBeginTold(this.#key(pid), this.#feed(pid), writeId, ttl, pid)
        : this.#client.meridianBegin(this.#key(pid), writeId, ttl),
    );
    for (const reply of await Promise.all(done)) integer(reply);
  }

  async end(
    pids: readonly Pid[],
    writeId: string,
    ttlMs: number,
    position: Position | null = null,
  ): Promise<void> {
    const ttl = Math.ceil(ttlMs);
    sendTogether(this.#client);
    const done = pids.map((pid) =>
      position !== null && ttl > 0
        ? this.#place(pid, writeId, ttl, position)
        : this.#tells()
          ? this.#client.meridianEndTold(this.#key(pid), this.#feed(pid), writeId, ttl, pid)
          : this.#client.meridianEnd(this.#key(pid), writeId, ttl),
    );
    for (const reply of await Promise.all(done)) integer(reply);
  }

  /** Asks the primary this client is connected to, never a replica of it. */
  async remaining(pids: readonly Pid[]): Promise<number> {
    const left = await Promise.all(pids.map((pid) => this.#client.pttl(this.#key(pid))));
    return Math.max(0, ...left.map(timeLeft));
  }

  /** As {@link remaining}, of each of them, and the birth mark that the Redis which says so has at that moment. */
  async remainingUnder(markKey: string, pids: readonly Pid[]): Promise<Remaining> {
    if (this.#keysAreApart) return this.#remainingApart(markKey, pids);
    const keys = pids.map((pid) => this.#key(pid));
    try {
      const answers = await this.#client.meridianRemaining(keys.length + 1, ...keys, markKey);
      if (!Array.isArray(answers) || answers.length !== keys.length + 1)
        throw new TypeError("Redis answered what was not asked");
      return { left: answers.slice(0, -1).map(timeLeft), mark: answers.at(-1) };
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith(APART)) throw error;
      this.#keysAreApart = true;
      return this.#remainingApart(markKey, pids);
    }
  }

  /** The mark is asked for behind the rest, on the same connection. */
  async #remainingApart(markKey: string, pids: readonly Pid[]): Promise<Remaining> {
    const asked = pids.map((pid) => this.#client.pttl(this.#key(pid)));
    const answers = await Promise.all([...asked, this.#client.get(markKey)]);
    return { left: answers.slice(0, -1).map(timeLeft), mark: answers.at(-1) };
  }

  async held(pids: readonly Pid[]): Promise<Held | null> {
    sendTogether(this.#client);
    const answers = await Promise.all(
      pids.map((pid) => this.#client.meridianHeld(this.#key(pid), this.#positionsKey(pid))),
    );
    return joinedHeld(answers.map(heldOf));
  }

  async inspect(pid: Pid): Promise<PinInspection | null> {
    const found = await this.#client.meridianInspect(this.#key(pid));
    return found === null ? null : { pid, remainingMs: integer(found[0]), writes: integer(found[1]) };
  }

  async release(pid: Pid): Promise<boolean> {
    return integer(await this.#client.unlink(this.#key(pid), this.#positionsKey(pid))) > 0;
  }

  async close(): Promise<void> {}

  #place(pid: Pid, writeId: string, ttl: number, position: Position): Promise<unknown> {
    const keys = [this.#key(pid), this.#feed(pid), this.#positionsKey(pid)] as const;
    const given = [...keys, writeId, ttl, pid, fixedWidth(position)] as const;
    return this.#tells() ? this.#client.meridianPlaceTold(...given) : this.#client.meridianPlace(...given);
  }

  #positionsKey(pid: Pid): string {
    return shardKey(this.#namespace, shardOf(pid), `q:${pid}`);
  }

  #key(pid: Pid): string {
    return `${this.#pinPrefixes[shardOf(pid)]}${pid}`;
  }

  #feed(pid: Pid): string {
    return feedKey(this.#namespace, shardOf(pid));
  }
}

/** Anything but a number is not our Redis speaking, and must not be read as "no pin". */
function integer(reply: unknown): number {
  if (typeof reply === "number" && Number.isSafeInteger(reply)) return reply;
  throw new TypeError("Redis answered what is no integer");
}

function heldOf(answer: HeldAnswer | null): Held | null {
  if (answer === null) return null;
  const [left, members, positions] = answer;
  if (!Array.isArray(members)) throw new TypeError("Redis answered what is no pin");
  return { remainingMs: integer(left), hold: holdOf(members, readPositions(String(positions))) };
}

const NO_KEY = -2;
const NO_EXPIRY = -1;

/** What PTTL says. Our keys have an expiry; one that somebody took it from is a pin until it is released. */
function timeLeft(reply: unknown): number {
  const left = integer(reply);
  if (left < NO_KEY) throw new TypeError("Redis answered what is no time to live");
  return left === NO_EXPIRY ? Number.POSITIVE_INFINITY : Math.max(0, left);
}

/** In braces is what a Redis Cluster places a key by, so all keys of a shard are on one node. */
export function shardKey(namespace: string, shard: number, name: string): string {
  return `{${namespace}:${shard}}:${name}`;
}

/** From the pid's first byte, which is uniform, since a pid is a hash: of its low four bits, two are in either character. */
export function shardOf(pid: Pid): number {
  return ((sixBits(pid, 0) & 0b11) << 2) | (sixBits(pid, 1) >> 4);
}

function sixBits(base64url: string, at: number): number {
  return Math.max(0, ALPHABET.indexOf(base64url.charAt(at)));
}
