import { TELL } from "./feed-script.ts";
import { EPOCHS_KEPT, FOLDED, MAX_WRITES_PER_USER, POSITIONED } from "./store.ts";

// What runs in Redis. docs/redis-protocol.md lets an application run the first six itself, so whatever changes what
// they take or do makes another protocol.

/** Redis's own time is the only clock of deadlines. `%.0f`, because Lua writes large numbers as 1.78e+12. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end
`;

/** Which run of the server answers; `?` where INFO is forbidden, then only loss is noticed. */
export const RUN = `
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or '?'
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

/** Of many users at once, and behind them the birth mark: the last key. */
const REMAINING = `
local answers = {}
for i = 1, #KEYS - 1 do answers[i] = redis.call('PTTL', KEYS[i]) end
answers[#KEYS] = redis.call('GET', KEYS[#KEYS])
return answers
`;

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

/**
 * Keys of the first six: the pin, the feed, the positions; arguments: the write's id, milliseconds from now, the pid, the
 * position. Those that do not tell, nor place, need none but the first key and the first two arguments.
 */
export const PIN_SCRIPTS = {
  begin: begin(""),
  end: end(""),
  place: place(""),
  beginTold: begin(TELL),
  endTold: end(TELL_LATER),
  placeTold: place(TELL_LATER),
  remaining: REMAINING,
  held: HELD,
  inspect: INSPECT,
} as const;
