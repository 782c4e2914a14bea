/*
 * The topology's scripts; KEYS[1] is its hash. Each is one command on one key, so that it may run in a Redis Cluster, late,
 * or twice.
 */

/** How long the hold that is in force still lasts, by the clock of Redis; 0 when there is none. */
const HELD = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'mode', 'heldUntil', 'heldBy')
local left = 0
if held[1] == 'ro' then left = math.max((tonumber(held[2]) or 0) - now, 0) end
`;

/**
 * What is stored, after what this edge knows is put where less was known: an empty Redis takes the file's writer at epoch
 * 1, and one that has lost its memory takes back the epoch that it had. A hold that is over is over for all.
 */
export const FOLLOW = `
if (tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0) < tonumber(ARGV[1]) then
  local at = string.match(ARGV[3], ':(%x+)$') or ''
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'writer', ARGV[2], 'mode', 'rw', 'promotions', ARGV[3], 'promotedPosition', at)
end
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], 'writer') == '' then redis.call('HSET', KEYS[1], 'writer', ARGV[2]) end
${HELD}
if left == 0 and held[1] == 'ro' then redis.call('HSET', KEYS[1], 'mode', 'rw') end
local found = redis.call('HMGET', KEYS[1], 'epoch', 'writer', 'mode', 'promotions')
return { found[1], found[2], found[3], found[4], left }
`;

/** Holds writes for ARGV[2] milliseconds in the name of ARGV[3], if the epoch still is ARGV[1] and nobody holds them. */
export const HOLD = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
${HELD}
if left > 0 then return 0 end
redis.call('HSET', KEYS[1], 'mode', 'ro', 'heldUntil', string.format('%.0f', now + ARGV[2]), 'heldBy', ARGV[3])
return 1
`;

/** Ends the hold of ARGV[2], if the epoch still is ARGV[1]. */
export const RESUME = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
${HELD}
if left > 0 and held[3] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'mode', 'rw')
return 1
`;

/**
 * Compare and set: epoch ARGV[2] with writer ARGV[3], begun at ARGV[4], if the epoch still is ARGV[1], and no other than
 * ARGV[6] holds writes. With ARGV[7] above 0 that hold has to last as many milliseconds longer.
 */
export const PROMOTE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
${HELD}
if left > 0 and held[3] ~= ARGV[6] or left < tonumber(ARGV[7]) then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'writer', ARGV[3], 'promotedPosition', ARGV[4], 'promotions', ARGV[5], 'mode', 'rw')
return 1
`;
