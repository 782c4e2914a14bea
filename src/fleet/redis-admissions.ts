import { type RedisClient, redisCause } from "../redis.ts";
import {
  type AdmissionRecord,
  type AdmissionStore,
  AdmissionStoreAway,
  type Admissions,
  type WindowMark,
} from "./admissions.ts";
import { Board } from "./board.ts";
import { POLL_INTERVAL_MS, Polling } from "./polling.ts";

/** ARGV[3] into the field ARGV[1], if ARGV[2] still stands there; an empty text is nothing. On one key, so it may run late or twice. */
const SET_AFTER = `
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`;

interface AdmissionCommands {
  meridianSetAfter(key: string, field: string, last: string, json: string): Promise<unknown>;
}

/** Records as they stand in Redis: only the very same text is the same word. */
const TEXTS = new WeakMap<AdmissionRecord, string>();

const FIELD_PREFIX = "admission:";

/**
 * Admissions that all edges share, in the hash `NAMESPACE:topology`, one JSON field for each region. Followed
 * by polling. While Redis is away the last known holds.
 */
export class RedisAdmissionStore implements AdmissionStore {
  readonly #client: RedisClient & AdmissionCommands;
  readonly #key: string;
  readonly #polling: Polling;
  readonly #board = new Board<Admissions>(new Map());
  /** The board as last read, to tell a change. */
  #seen = "";

  /** The connection stays its maker's to close. */
  constructor(client: RedisClient, namespace: string, chance: () => number = Math.random) {
    client.defineCommand("meridianSetAfter", { lua: SET_AFTER, numberOfKeys: 1 });
    this.#client = client as RedisClient & AdmissionCommands;
    this.#key = `${namespace}:topology`;
    this.#polling = new Polling({ poll: () => this.#poll(), intervalMs: () => POLL_INTERVAL_MS, chance });
  }

  get(): Admissions {
    return this.#board.get();
  }

  async set(region: string, record: AdmissionRecord): Promise<void> {
    await this.#change(() => this.#client.hset(this.#key, FIELD_PREFIX + region, JSON.stringify(record)));
  }

  async setAfter(
    region: string,
    last: AdmissionRecord | undefined,
    record: AdmissionRecord,
  ): Promise<boolean> {
    const texts = [last === undefined ? "" : textOf(last), JSON.stringify(record)] as const;
    const field = FIELD_PREFIX + region;
    return (await this.#change(() => this.#client.meridianSetAfter(this.#key, field, ...texts))) === 1;
  }

  onChange(listener: (admissions: Admissions) => void): () => void {
    return this.#board.onChange(listener);
  }

  start(): Promise<void> {
    return this.#polling.start();
  }

  async close(): Promise<void> {
    this.#polling.close();
  }

  async #change(command: () => Promise<unknown>): Promise<unknown> {
    let answer: unknown;
    try {
      answer = await command();
    } catch (error) {
      throw new AdmissionStoreAway(`Redis did not take the change: ${redisCause(error)}`, { cause: error });
    }
    await this.#poll();
    return answer;
  }

  /** False when Redis did not answer: the last known holds, and the pin store's breaker has told the world. */
  async #poll(): Promise<boolean> {
    try {
      await this.#follow(readAdmissions(await this.#client.hgetall(this.#key)));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * A word that was there and is not was lost with Redis's memory: opening is a word too, none is ever taken
   * back. It is kept, and put back unless somebody has said a newer one.
   */
  async #follow(stored: Map<string, AdmissionRecord>): Promise<void> {
    const lost = [...this.#board.get()].filter(([region]) => !stored.has(region));
    for (const [region, record] of lost) stored.set(region, record);
    const seen = JSON.stringify([...stored].sort());
    if (seen !== this.#seen) this.#board.replace(stored);
    this.#seen = seen;
    for (const [region, record] of lost)
      await this.#client.hsetnx(this.#key, FIELD_PREFIX + region, textOf(record));
  }
}

/** What cannot be read is left out: another version of an edge may have written it. */
function readAdmissions(fields: Readonly<Record<string, string>>): Map<string, AdmissionRecord> {
  const admissions = new Map<string, AdmissionRecord>();
  for (const [field, json] of Object.entries(fields)) {
    const record = field.startsWith(FIELD_PREFIX) ? readRecord(json) : null;
    if (record !== null) admissions.set(field.slice(FIELD_PREFIX.length), record);
  }
  return admissions;
}

function readRecord(json: string): AdmissionRecord | null {
  try {
    const given: unknown = JSON.parse(json);
    if (!isRecord(given)) return null;
    TEXTS.set(given, json);
    return given;
  } catch {
    return null;
  }
}

function textOf(record: AdmissionRecord): string {
  return TEXTS.get(record) ?? JSON.stringify(record);
}

function isRecord(given: unknown): given is AdmissionRecord {
  if (typeof given !== "object" || given === null) return false;
  const { state, reason, by, sinceWallMs, deadlineWallMs, window } = given as Partial<
    Record<string, unknown>
  >;
  return (
    (state === "open" || state === "draining" || state === "closed") &&
    typeof reason === "string" &&
    typeof by === "string" &&
    typeof sinceWallMs === "number" &&
    (deadlineWallMs === null || typeof deadlineWallMs === "number") &&
    (window === undefined || isMark(window))
  );
}

function isMark(given: unknown): given is WindowMark {
  if (typeof given !== "object" || given === null) return false;
  const { id, endWallMs } = given as Partial<Record<string, unknown>>;
  return typeof id === "string" && typeof endWallMs === "number";
}
