/**
 * The feed is a stream beside the pins of each shard, in its hash tag, so that one script writes both, in a Redis
 * Cluster too. Whoever follows it reads all of them with one command; sixteen cost a standalone Redis no more than one.
 */
export function feedKey(namespace: string, shard: number): string {
  return `{${namespace}:${shard}}:feed`;
}

/** One call in so many trims, and looks at so many of the oldest entries: more than are added meanwhile. */
const TRIM_EVERY = 32;
const TRIM_AT_MOST = 64;
/** A feed that nobody writes any more is dropped, long after its last pin. */
const UNUSED_MS = 86_400_000;

/**
 * Tells the feed in KEYS[2] that the write ARGV[1] pins the user ARGV[3] until `deadline`, in the script that pins it,
 * so neither is there without the other. Trims what is over, from the oldest on and never what is not: intents
 * differ in length, and who follows from the start must find every live pin. By the microseconds of the clock,
 * which are as good as chance.
 */
export const TELL = `
redis.call('XADD', KEYS[2], '*', 'u', ARGV[3], 'd', deadline, 'w', ARGV[1])
if time[2] % ${TRIM_EVERY} == 0 then
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ${TRIM_AT_MOST})
  local keep
  for _, entry in ipairs(oldest) do
    keep = entry[1]
    if (tonumber(entry[2][4]) or 0) > now then break end
  end
  redis.call('XTRIM', KEYS[2], 'MINID', keep)
  redis.call('PEXPIRE', KEYS[2], ${UNUSED_MS})
end
`;
