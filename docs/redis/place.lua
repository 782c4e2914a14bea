-- Meridian pin protocol 1. PLACE: the write is committed, and this is where it stands in the write log. It only ever extends.
-- KEYS: the pin, the feed, the positions. ARGV: writeId, milliseconds, pid, EPOCH:POSITION. See redis-protocol.md.
-- Written by npm run docs:redis from what an edge runs itself. It is run whole.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end

local deadline = integer(now + ARGV[2])

local epoch, newest, kept = string.sub(ARGV[4], 1, 8), ARGV[4], {}
for known in string.gmatch(redis.call('GET', KEYS[3]) or '', '[^,]+') do
  if string.sub(known, 1, 8) ~= epoch then kept[#kept + 1] = known
  elseif known > newest then newest = known end
end
kept[#kept + 1] = newest
table.sort(kept)
if #kept > 4 then table.remove(kept, 1) end
redis.call('ZADD', KEYS[1], 'GT', deadline, 'at')
if ARGV[1] ~= 'at' then redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('SET', KEYS[3], table.concat(kept, ','))
redis.call('PEXPIREAT', KEYS[3], integer(redis.call('ZSCORE', KEYS[1], 'at')))

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', integer(now))
if redis.call('ZCARD', KEYS[1]) > 64 then
  local first = redis.call('ZRANGE', KEYS[1], 0, 16, 'WITHSCORES')
  for i = 1, #first, 2 do
    local name, region = string.match(first[i], '^([^@]+)(.*)$')
    if name ~= 'at' and name ~= 'folded' then
      redis.call('ZREM', KEYS[1], first[i])
      redis.call('ZADD', KEYS[1], 'GT', first[i + 1], 'folded' .. region)
      break
    end
  end
end
local last = redis.call('ZRANGE', KEYS[1], 0, 0, 'REV', 'WITHSCORES')
if last[2] then redis.call('PEXPIREAT', KEYS[1], integer(last[2])) end
return 1
