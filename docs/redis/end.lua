-- Meridian pin protocol 1. END: the write is committed, or, with 0 milliseconds, was not made. It touches this write's member only.
-- KEYS: the pin, the feed, the positions. ARGV: writeId, milliseconds, pid, EPOCH:POSITION. See redis-protocol.md.
-- Written by npm run docs:redis from what an edge runs itself. It is run whole.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function integer(number) return string.format('%.0f', number) end

local deadline = integer(now + ARGV[2])
if tonumber(ARGV[2]) > 0 then
  
  redis.call('ZADD', KEYS[1], deadline, ARGV[1])
else
  redis.call('ZREM', KEYS[1], ARGV[1])
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
