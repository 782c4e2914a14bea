import type { RedisClient } from "../redis.ts";
import type { Position } from "../routing/position.ts";
import { feedKey, TELL } from "./feed-script.ts";
import {
  FOLDED,
  fixedWidth,
  type Held,
  holdOf,
  joinedHeld,
  MAX_WRITES_PER_USER,
  type Pid,
  type PinInspection,
  type PinStore,
  POSITIONED,
  readPositions,
} from "./store.ts";

/** Keys spread over this many hash tags, so that a Redis Cluster spreads them over its nodes. */
export const SHARDS = 16;

/** Redis's own time is the only clock of deadlines. `%.0f`, because Lua writes large numbers as 1.78e+12. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end
`;

/** Behind so many members that are shared there is one that is a single write's. */
const FOLDED_AT_MOST = 16;

/**
 * Members past their deadline go; the key then lives exactly as long as its last member. Of too many, the single write
 * that ends first gives its deadline to one that is shared: the pin stays as long as it was.
 */
const SETTLE_KEY = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', integer(now))
if redis.call('ZCARD', KEYS[1]) > ${MAX_WRITES_PER_USER} then
  local first = redis.call('ZRANGE', KEYS[1], 0, ${FOLDED_AT_MOST}, 'WITHSCORES')
  for i = 1, #first, 2 do
    local name, region = string.match(first[i], '^([^@]+)(.*)$')
    if name ~= '${POSITIONED}' and name ~= '${FOLDED}' then
      redis.call('ZREM', KEYS[1], first[i])
      redis.call('ZADD', KEYS[1], 'GT', first[i + 1], '${FOLDED}' .. region)
      break
    end
  end
end
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

/** Epochs of which a user's position is kept: more than there are promotions in a pin's life. */
const EPOCHS_KEPT = 4;

/**
 * END of a write whose place in the log is known: its member gives way to that of all positioned writes, and the position is
 * kept beside the pin, the newest of each epoch. Both are only ever extended. Keys: the pin, the feed, the positions.
 */
const place = (tell: string) => `${NOW}
local deadline = integer(now + ARGV[2])
${tell}
local epoch, newest, kept = string.sub(ARGV[4], 1, 8), ARGV[4], {}
for known in string.gmatch(redis.call('GET', KEYS[3]) or '', '[^,]+') do
  if string.sub(known, 1, 8) ~= epoch then kept[#kept + 1] = known
  elseif known > newest then newest = known end
end
kept[#kept + 1] = newest
table.sort(kept)
if #kept > ${EPOCHS_KEPT} then table.remove(kept, 1) end
redis.call('ZADD', KEYS[1], 'GT', deadline, '${POSITIONED}')
if ARGV[1] ~= '${POSITIONED}' then redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('SET', KEYS[3], table.concat(kept, ','))
redis.call('PEXPIREAT', KEYS[3], integer(redis.call('ZSCORE', KEYS[1], '${POSITIONED}')))
${SETTLE_KEY}`;

/** Live members, that which ends last first, how long that is, and the positions. */
const HELD = `${NOW}
local live = redis.call('ZRANGE', KEYS[1], '+inf', '(' .. integer(now), 'BYSCORE', 'REV', 'WITHSCORES')
if #live == 0 then return false end
local members = {}
for i = 1, #live, 2 do members[#members + 1] = live[i] end
return { live[2] - now, members, redis.call('GET', KEYS[2]) or '' }
`;

const INSPECT = `${NOW}
local last = redis.call('ZRANGE', KEYS[1], 0, 0, 'REV', 'WITHSCORES')
local writes = redis.call('ZCOUNT', KEYS[1], '(' .. integer(now), '+inf')
if writes == 0 then return false end
return { last[2] - now, writes }
`;

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
  readonly #tells: () => boolean;

  /** Tells the feed too while `tells` says so. The connection stays its maker's to close. */
  constructor(client: RedisClient, namespace: string, tells: () => boolean = () => false) {
    client.defineCommand("meridianBegin", { lua: begin(""), numberOfKeys: 1 });
    client.defineCommand("meridianEnd", { lua: end(""), numberOfKeys: 1 });
    client.defineCommand("meridianBeginTold", { lua: begin(TELL), numberOfKeys: 2 });
    client.defineCommand("meridianEndTold", { lua: end(TELL_LATER), numberOfKeys: 2 });
    client.defineCommand("meridianPlace", { lua: place(""), numberOfKeys: 3 });
    client.defineCommand("meridianPlaceTold", { lua: place(TELL_LATER), numberOfKeys: 3 });
    client.defineCommand("meridianHeld", { lua: HELD, numberOfKeys: 2 });
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

  async end(
    pids: readonly Pid[],
    writeId: string,
    ttlMs: number,
    position: Position | null = null,
  ): Promise<void> {
    const ttl = Math.ceil(ttlMs);
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

  async held(pids: readonly Pid[]): Promise<Held | null> {
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
