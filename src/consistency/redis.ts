import type { RedisClient } from "../redis.ts";
import { feedKey, TELL } from "./feed-script.ts";
import type { Pid, PinInspection, PinStore } from "./store.ts";

/** Keys spread over this many hash tags, so that a Redis Cluster spreads them over its nodes. */
export const SHARDS = 16;

/** Redis's own time is the only clock of deadlines. `%.0f`, because Lua writes large numbers as 1.78e+12. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end
`;

/** Members past their deadline go; the key then lives exactly as long as its last member. */
const SETTLE_KEY = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', integer(now))
local last = redis.call('ZRANGE', KEYS[1], 0, 0, 'REV', 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], integer(last[2])) end
return 1
`;

/** GT: a BEGIN that comes late, or twice, only ever extends. */
const begin = (tell: string) => `${NOW}
local deadline = integer(now + ARGV[2])
redis.call('ZADD', KEYS[1], 'GT', deadline, ARGV[1])
${tell}
${SETTLE_KEY}`;

/** Touches its own member only, and makes it when BEGIN never arrived. */
const end = (tell: string) => `${NOW}
local deadline = integer(now + ARGV[2])
if tonumber(ARGV[2]) > 0 then
  ${tell}
  redis.call('ZADD', KEYS[1], deadline, ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
${SETTLE_KEY}`;

/** An end is told only when it comes later than what was told. Who follows the feed keeps the longest. */
const TELL_LATER = `
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not before or tonumber(before) < tonumber(deadline) then
${TELL}
end
`;

const INSPECT = `${NOW}
local last = redis.call('ZRANGE', KEYS[1], 0, 0, 'REV', 'WITHSCORES')
local writes = redis.call('ZCOUNT', KEYS[1], '(' .. integer(now), '+inf')
if writes == 0 then return false end
return { last[2] - now, writes }
`;

/** The scripts as ioredis defines them: by hash, and in full when Redis does not know the hash. */
interface PinCommands {
  meridianBegin(key: string, writeId: string, ttlMs: number): Promise<unknown>;
  meridianEnd(key: string, writeId: string, ttlMs: number): Promise<unknown>;
  meridianBeginTold(key: string, feed: string, writeId: string, ttlMs: number, pid: Pid): Promise<unknown>;
  meridianEndTold(key: string, feed: string, writeId: string, ttlMs: number, pid: Pid): Promise<unknown>;
  meridianInspect(key: string): Promise<readonly [remainingMs: unknown, writes: unknown] | null>;
}

/**
 * Pins that all edges share: a ZSET for each user, whose members are writes and whose scores are deadlines in
 * Redis milliseconds. Every call is one round trip, whatever the number of users in it. Needs Redis 6.2.
 */
export class RedisPinStore implements PinStore {
  readonly #client: RedisClient & PinCommands;
  readonly #namespace: string;
  readonly #tells: () => boolean;

  /** Tells the feed too while `tells` says so. The connection stays its maker's to close. */
  constructor(client: RedisClient, namespace: string, tells: () => boolean = () => false) {
    client.defineCommand("meridianBegin", { lua: begin(""), numberOfKeys: 1 });
    client.defineCommand("meridianEnd", { lua: end(""), numberOfKeys: 1 });
    client.defineCommand("meridianBeginTold", { lua: begin(TELL), numberOfKeys: 2 });
    client.defineCommand("meridianEndTold", { lua: end(TELL_LATER), numberOfKeys: 2 });
    client.defineCommand("meridianInspect", { lua: INSPECT, numberOfKeys: 1 });
    this.#client = client as RedisClient & PinCommands;
    this.#namespace = namespace;
    this.#tells = tells;
  }

  async begin(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    const ttl = Math.ceil(ttlMs);
    const done = pids.map((pid) =>
      this.#tells()
        ? this.#client.meridianBeginTold(this.#key(pid), this.#feed(pid), writeId, ttl, pid)
        : this.#client.meridianBegin(this.#key(pid), writeId, ttl),
    );
    for (const reply of await Promise.all(done)) integer(reply);
  }

  async end(pids: readonly Pid[], writeId: string, ttlMs: number): Promise<void> {
    const ttl = Math.ceil(ttlMs);
    const done = pids.map((pid) =>
      this.#tells()
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

  async inspect(pid: Pid): Promise<PinInspection | null> {
    const found = await this.#client.meridianInspect(this.#key(pid));
    return found === null ? null : { pid, remainingMs: integer(found[0]), writes: integer(found[1]) };
  }

  async release(pid: Pid): Promise<boolean> {
    return integer(await this.#client.unlink(this.#key(pid))) > 0;
  }

  async close(): Promise<void> {}

  #key(pid: Pid): string {
    return shardKey(this.#namespace, shardOf(pid), `p:${pid}`);
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

const NO_KEY = -2;
const NO_EXPIRY = -1;

/** What PTTL says. Our keys have an expiry; one that somebody took it from is a pin until it is released. */
function timeLeft(reply: unknown): number {
  const left = integer(reply);
  if (left < NO_KEY) throw new TypeError("Redis answered what is no time to live");
  return left === NO_EXPIRY ? Number.POSITIVE_INFINITY : left;
}

/** In braces is what a Redis Cluster places a key by, so all keys of a shard are on one node. */
export function shardKey(namespace: string, shard: number, name: string): string {
  return `{${namespace}:${shard}}:${name}`;
}

/** From the pid's first byte, which is uniform, since a pid is a hash. */
export function shardOf(pid: Pid): number {
  return (Buffer.from(pid.slice(0, 2), "base64url")[0] ?? 0) % SHARDS;
}
