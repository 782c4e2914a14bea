import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../clock.ts";
import { type RedisClient, redisCause } from "../redis.ts";
import { type Position, readPosition, writePosition } from "../routing/position.ts";
import {
  type Promotion,
  promoted,
  type Topology,
  TopologyAway,
  TopologyBoard,
  type TopologyStore,
} from "./topology.ts";

/** Edges follow within 2 s: one interval with its jitter, one command time-out, and room. */
const POLL_INTERVAL_MS = 1_000;
/** While the write region moves, each edge should know of its end at once. */
const MOVING_POLL_INTERVAL_MS = 100;
const POLL_JITTER = 0.1;
const START_PATIENCE_MS = 1_000;
const START_PAUSE_MS = 20;

/**
 * What is stored, after what this edge knows is put where less was known: an empty Redis takes the file's writer at epoch
 * 1, and one that has lost its memory takes back the epoch that it had. A hold that is over is over for all.
 */
const FOLLOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if (tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0) < tonumber(ARGV[1]) then
  local at = string.match(ARGV[3], ':(%x+)$') or ''
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'writer', ARGV[2], 'mode', 'rw', 'promotions', ARGV[3], 'promotedPosition', at)
end
if redis.call('HGET', KEYS[1], 'mode') == 'ro' and (tonumber(redis.call('HGET', KEYS[1], 'heldUntil')) or 0) <= now then
  redis.call('HSET', KEYS[1], 'mode', 'rw')
end
return redis.call('HMGET', KEYS[1], 'epoch', 'writer', 'mode', 'promotions')
`;

/** Sets mode ARGV[2] (for ARGV[3] milliseconds, if ro), if the epoch still is ARGV[1]. */
const SET_MODE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local heldUntil = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3])
redis.call('HSET', KEYS[1], 'mode', ARGV[2], 'heldUntil', heldUntil)
return 1
`;

/** Compare and set: epoch ARGV[2] with writer ARGV[3], begun at ARGV[4], if the epoch still is ARGV[1]. */
const PROMOTE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'writer', ARGV[3], 'promotedPosition', ARGV[4], 'promotions', ARGV[5], 'mode', 'rw')
return 1
`;

interface TopologyCommands {
  meridianFollow(key: string, epoch: number, writer: string, promotions: string): Promise<unknown>;
  meridianMode(key: string, epoch: number, mode: string, forMs: number): Promise<unknown>;
  meridianPromote(
    key: string,
    from: number,
    to: number,
    writer: string,
    at: string,
    promotions: string,
  ): Promise<unknown>;
}

/**
 * The topology that all edges share, in the hash `NAMESPACE:topology`. Followed by polling, and at once by whoever has
 * reason to think that it has changed. While Redis is away the last known holds.
 */
export class RedisTopologyStore implements TopologyStore {
  readonly #client: RedisClient & TopologyCommands;
  readonly #key: string;
  readonly #chance: () => number;
  readonly #board: TopologyBoard;
  /** The question that is waiting for its answer, and the one that will be put after it. */
  #asking: Promise<boolean> | null = null;
  #next: Promise<boolean> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** The connection stays its maker's to close. `first` is what the file says. */
  constructor(client: RedisClient, namespace: string, first: Topology, chance: () => number = Math.random) {
    client.defineCommand("meridianFollow", { lua: FOLLOW, numberOfKeys: 1 });
    client.defineCommand("meridianMode", { lua: SET_MODE, numberOfKeys: 1 });
    client.defineCommand("meridianPromote", { lua: PROMOTE, numberOfKeys: 1 });
    this.#client = client as RedisClient & TopologyCommands;
    this.#key = `${namespace}:topology`;
    this.#board = new TopologyBoard(first);
    this.#chance = chance;
  }

  get(): Topology {
    return this.#board.get();
  }

  onChange(listener: (topology: Topology) => void): () => void {
    return this.#board.onChange(listener);
  }

  /** A question that is under way may have been answered already, so whoever asks now waits for the next. */
  refresh(): Promise<boolean> {
    if (this.#asking === null) return this.#ask();
    this.#next ??= this.#asking.then(() => {
      this.#next = null;
      return this.#ask();
    });
    return this.#next;
  }

  hold(epoch: number, forMs: number): Promise<boolean> {
    return this.#change(() => this.#client.meridianMode(this.#key, epoch, "ro", forMs));
  }

  resume(epoch: number): Promise<boolean> {
    return this.#change(() => this.#client.meridianMode(this.#key, epoch, "rw", 0));
  }

  promote(promotion: Promotion): Promise<boolean> {
    const { from, to, writer, at } = promotion;
    const promotions = writePromotions(promoted(this.get(), promotion).promotions);
    return this.#change(() =>
      this.#client.meridianPromote(this.#key, from, to, writer, at ?? "", promotions),
    );
  }

  /** An edge must not open for clients before it knows where writes go, if Redis can tell it within a second. */
  async start(): Promise<void> {
    const giveUpAtMs = systemClock.now() + START_PATIENCE_MS;
    while (!(await this.refresh()) && systemClock.now() < giveUpAtMs) await sleep(START_PAUSE_MS);
    this.#pollLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #ask(): Promise<boolean> {
    const asking = this.#follow().finally(() => {
      this.#asking = null;
    });
    this.#asking = asking;
    return asking;
  }

  /** False when Redis did not answer: the last known holds, and the pin store's breaker has told the world. */
  async #follow(): Promise<boolean> {
    const { epoch, writer, promotions } = this.get();
    try {
      const given = await this.#client.meridianFollow(
        this.#key,
        epoch,
        writer ?? "",
        writePromotions(promotions),
      );
      const stored = readTopology(given);
      if (stored !== null) this.#board.replace(stored);
      return stored !== null;
    } catch {
      return false;
    }
  }

  async #change(command: () => Promise<unknown>): Promise<boolean> {
    let done: unknown;
    try {
      done = await command();
    } catch (error) {
      throw new TopologyAway(`Redis did not take the change: ${redisCause(error)}`, { cause: error });
    }
    await this.refresh();
    return done === 1;
  }

  #pollLater(): void {
    if (this.#closed) return;
    const intervalMs = this.get().mode === "ro" ? MOVING_POLL_INTERVAL_MS : POLL_INTERVAL_MS;
    const delayMs = intervalMs * (1 + POLL_JITTER * (2 * this.#chance() - 1));
    this.#timer = setTimeout(() => void this.refresh().then(() => this.#pollLater()), delayMs);
    this.#timer.unref();
  }
}

/** Null when it is not ours: another version of an edge may have written it. */
function readTopology(given: unknown): Topology | null {
  if (!Array.isArray(given)) return null;
  const [epochText, writer, mode, promotions] = given as (string | null)[];
  const epoch = Number(epochText);
  if (!Number.isSafeInteger(epoch) || epoch < 1 || (mode !== "rw" && mode !== "ro")) return null;
  return { epoch, writer: writer || null, mode, promotions: readPromotions(promotions ?? "") };
}

function writePromotions(promotions: readonly Position[]): string {
  return promotions.map(writePosition).join(",");
}

function readPromotions(text: string): readonly Position[] {
  return text.split(",").flatMap((one) => readPosition(one) ?? []);
}
