-- Meridian pin protocol 1. BEGIN in mode bounded: the feed is told as well.
-- KEYS: the pin, the feed, the positions. ARGV: writeId, milliseconds, pid, EPOCH:POSITION. See redis-protocol.md.
-- Written by npm run docs:redis from what an edge runs itself. It is run whole.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end

local deadline = integer(now + ARGV[2])
redis.call('ZADD', KEYS[1], 'GT', deadline, ARGV[1])

redis.call('XADD', KEYS[2], '*', 'u', ARGV[3], 'd', deadline, 'w', ARGV[1])
if time[2] % 32 == 0 then
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 64)
  local keep
  for _, entry in ipairs(oldest) do
    keep = entry[1]
    if (tonumber(entry[2][4]) or 0) > now then break end
  end
  redis.call('XTRIM', KEYS[2], 'MINID', keep)
  redis.call('PEXPIRE', KEYS[2], 86400000)
end


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
