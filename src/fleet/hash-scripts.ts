/*
 * The scripts of the shared hash, KEYS[1], and of the lists beside it. Each is one command on one key, so that it may run in a Redis Cluster, late, or
 * twice. Who follows is told by a message on a channel of the key's name, that there is something to ask for; an edge that
 * may not publish still changes what it changes.
 */

const TELL = `redis.pcall('PUBLISH', KEYS[1], '')`;

/** Notes what the edge ARGV[1] says of itself, ARGV[2], and answers Redis's own time and everything that is stored. */
export const ASK = `
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2]) end
return { now, redis.call('HGETALL', KEYS[1]) }
`;

/** Sets the pairs from ARGV[3] on, if ARGV[1] is '' or that field has the text ARGV[2]; what is not there has ''. */
export const SET_IF = `
if ARGV[1] ~= '' and (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
${TELL}
return 1
`;

/** Takes the fields ARGV away. */
export const FORGET = `
redis.call('HDEL', KEYS[1], unpack(ARGV))
${TELL}
return 1
`;

/** Puts ARGV[1] in front of the list KEYS[1], of which ARGV[2] are kept. */
export const PUSH = `
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
return 1
`;
