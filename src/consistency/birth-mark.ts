import type { RedisClient } from "../redis.ts";
import { NOW, RUN } from "./pin-scripts.ts";

/**
 * Answers how long this Redis has held its memory, and the mark. Who finds none, or that of another run of the
 * server (a restart, a failover), sets it: from now on.
 */
const LOOK = `${NOW}${RUN}local mark = redis.call('GET', KEYS[1]) or ''
local at, of = string.match(mark, '^(%d+) (%S+)$')
if of ~= run or tonumber(at) > now then
  at = integer(now)
  mark = at .. ' ' .. run
  redis.call('SET', KEYS[1], mark)
end
return { now - at, mark }
`;

interface MarkCommands {
  meridianBorn(key: string): Promise<readonly [memoryMs: unknown, mark: unknown]>;
}

/** Of which every edge asks whether it is still the same. */
export function birthMarkKey(namespace: string): string {
  return `${namespace}:born`;
}

/**
 * What tells an edge, even one that has just started, whether Redis may have forgotten a pin that it had
 * acknowledged: the key `NAMESPACE:born`, or in a cluster one for each shard, with the Redis time at which it
 * was set and the run of the server that it was set in. It goes where the pins go, and no edge ever makes it older.
 */
export class BirthMark {
  readonly #client: RedisClient & MarkCommands;
  readonly key: string;
  #seen: string | null = null;

  /** The connection stays its maker's to close. */
  constructor(client: RedisClient, key: string) {
    client.defineCommand("meridianBorn", { lua: LOOK, numberOfKeys: 1 });
    this.#client = client as RedisClient & MarkCommands;
    this.key = key;
  }

  /** Milliseconds, by the clock of Redis, for which it has forgotten nothing; 0 when it has just lost its memory. */
  async look(): Promise<number> {
    const [memoryMs, mark] = await this.#client.meridianBorn(this.key);
    if (typeof memoryMs !== "number" || typeof mark !== "string") throw new TypeError("no birth mark");
    this.#seen = mark;
    return memoryMs;
  }

  /** Whether a {@link look} finds what the last one found, in the run of the server that answers now. */
  async isConfirmed(): Promise<boolean> {
    const before = this.#seen;
    await this.look();
    return this.#seen === before;
  }

  /** The mark that the last {@link look} found; what was asked before another is found now was of another memory. */
  get seen(): string | null {
    return this.#seen;
  }

  /** Whether the mark is still that of the last {@link look} before this call. One GET. */
  async isSame(): Promise<boolean> {
    const seen = this.#seen;
    return (await this.#client.get(this.key)) === seen;
  }
}
