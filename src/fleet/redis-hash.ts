import { randomBytes } from "node:crypto";
import { systemClock } from "../clock.ts";
import { type RedisClient, redisCause } from "../redis.ts";
import { Board } from "./board.ts";
import { ASK, FORGET, PUSH, SET_IF } from "./hash-scripts.ts";
import { POLL_INTERVAL_MS, Polling } from "./polling.ts";
import { type Changes, type Fields, type Said, SharedAway, type SharedHash } from "./shared-hash.ts";

/** While the write region moves, each edge should know of each step at once, though no message tells it. */
const URGENT_INTERVAL_MS = 100;
/** What an edge said longer ago is of no edge any more. */
const FORGOTTEN_AFTER_MS = 5 * 60_000;
/** Tells two lives of an edge apart, and two edges of one name. */
const NONCE_BYTES = 6;
const EDGE_PREFIX = "edge:";

interface HashCommands {
  meridianAsk(key: string, field: string, text: string): Promise<unknown>;
  meridianSetIf(key: string, guard: string, expected: string, ...pairs: readonly string[]): Promise<unknown>;
  meridianForget(key: string, ...fields: readonly string[]): Promise<unknown>;
  meridianPush(key: string, text: string, most: number): Promise<unknown>;
}

export interface RedisHashOptions {
  readonly edgeId: string;
  /** Hears that there is news; null: it is found out by asking. Stays its maker's to close. */
  readonly listener?: RedisClient | null;
  /** Whether something goes on that is to be known at once. */
  readonly isUrgent?: (fields: Fields) => boolean;
  /** Uniform in [0, 1). */
  readonly chance?: () => number;
}

/**
 * The hash `NAMESPACE:topology`. An edge asks for it once a second, for a question cannot miss what a message can, and at once
 * when a message says that there is news. While Redis is away the last known holds.
 */
export class RedisHash implements SharedHash {
  readonly isShared = true;
  readonly selfKey: string;
  readonly #client: RedisClient & HashCommands;
  readonly #namespace: string;
  readonly #key: string;
  readonly #polling: Polling;
  readonly #board = new Board<Fields>(new Map());
  readonly #heard = new Set<() => void>();
  #make: (() => string) | null = null;
  #edges: ReadonlyMap<string, Said> = new Map();
  /** What Redis's clock is ahead of the monotonic one. */
  #aheadMs: number;
  #heardAtMs = systemClock.now();
  /** The question that is waiting for its answer, and the one that will be put after it. */
  #asking: Promise<boolean> | null = null;
  #next: Promise<boolean> | null = null;
  #isClosed = false;

  /** The connection stays its maker's to close. */
  constructor(client: RedisClient, namespace: string, options: RedisHashOptions) {
    const { edgeId, listener = null, isUrgent = () => false, chance = Math.random } = options;
    client.defineCommand("meridianAsk", { lua: ASK, numberOfKeys: 1 });
    client.defineCommand("meridianSetIf", { lua: SET_IF, numberOfKeys: 1 });
    client.defineCommand("meridianForget", { lua: FORGET, numberOfKeys: 1 });
    client.defineCommand("meridianPush", { lua: PUSH, numberOfKeys: 1 });
    this.#client = client as RedisClient & HashCommands;
    this.#namespace = namespace;
    this.#key = `${namespace}:topology`;
    this.selfKey = `${edgeId}:${randomBytes(NONCE_BYTES).toString("base64url")}`;
    this.#aheadMs = systemClock.wall() - systemClock.now();
    const intervalMs = () => (isUrgent(this.get()) ? URGENT_INTERVAL_MS : POLL_INTERVAL_MS);
    this.#polling = new Polling({ poll: () => this.refresh(), intervalMs, chance });
    if (listener !== null) this.#listen(listener);
  }

  get(): Fields {
    return this.#board.get();
  }

  edges(): ReadonlyMap<string, Said> {
    return this.#edges;
  }

  nowMs(): number {
    return systemClock.now() + this.#aheadMs;
  }

  heardMsAgo(): number {
    return systemClock.now() - this.#heardAtMs;
  }

  onChange(listener: (fields: Fields) => void): () => void {
    return this.#board.onChange(listener);
  }

  onHeard(listener: () => void): () => void {
    this.#heard.add(listener);
    return () => this.#heard.delete(listener);
  }

  say(make: () => string): void {
    this.#make = make;
  }

  /** A question that is under way may have been answered already, so whoever asks now waits for the next. */
  refresh(): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    if (this.#asking === null) return this.#ask();
    this.#next ??= this.#asking.then(() => {
      this.#next = null;
      return this.#ask();
    });
    return this.#next;
  }

  async set(changes: Changes): Promise<void> {
    await this.setIf("", "", changes);
  }

  async setIf(guard: string, expected: string, changes: Changes): Promise<boolean> {
    const pairs = Object.entries(changes).flat();
    const done = await confirmed(
      "take the change",
      this.#client.meridianSetIf(this.#key, guard, expected, ...pairs),
    );
    if (done !== 1) await this.refresh();
    else this.#know(new Map([...this.get(), ...Object.entries(changes)]));
    return done === 1;
  }

  async push(list: string, text: string, most: number): Promise<void> {
    const key = `${this.#namespace}:${list}`;
    await confirmed("take the change", this.#client.meridianPush(key, text, most));
  }

  list(name: string): Promise<readonly string[]> {
    return confirmed("answer", this.#client.lrange(`${this.#namespace}:${name}`, 0, -1));
  }

  start(): Promise<void> {
    return this.#polling.start();
  }

  async close(): Promise<void> {
    this.#polling.close();
    await this.#asking;
    this.#isClosed = true;
    if (this.#make !== null) await this.#forget([this.selfKey]);
  }

  #ask(): Promise<boolean> {
    const asking = this.#hear().finally(() => {
      this.#asking = null;
    });
    this.#asking = asking;
    return asking;
  }

  /** False when Redis did not answer: the last known holds, and the pin store's breaker has told the world. */
  async #hear(): Promise<boolean> {
    const askedAtMs = systemClock.now();
    const [field, text] = this.#make === null ? ["", ""] : [EDGE_PREFIX + this.selfKey, this.#make()];
    try {
      const answer = readAnswer(await this.#client.meridianAsk(this.#key, field, text));
      if (answer === null || this.#isClosed) return false;
      this.#heardAtMs = systemClock.now();
      this.#aheadMs = answer.nowMs - (askedAtMs + this.#heardAtMs) / 2;
      this.#follow(answer);
      return true;
    } catch {
      return false;
    }
  }

  /** Answers come in the order of the questions, so whatever was asked before a change was made is known before it. */
  #know(fields: Fields): void {
    if (!sameFields(fields, this.get())) this.#board.replace(fields);
    for (const listener of this.#heard) listener();
  }

  #follow({ nowMs, fields, edges }: Answer): void {
    this.#edges = edges;
    this.#know(fields);
    const gone = [...edges].filter(([, { atMs }]) => nowMs - atMs > FORGOTTEN_AFTER_MS);
    if (gone.length > 0) void this.#forget(gone.map(([key]) => key));
  }

  async #forget(edges: readonly string[]): Promise<void> {
    const fields = edges.map((key) => EDGE_PREFIX + key);
    await this.#client.meridianForget(this.#key, ...fields).catch(() => undefined);
  }

  /** A message may get lost, and says nothing itself: it only makes this edge ask. */
  #listen(listener: RedisClient): void {
    const subscribe = () => void listener.subscribe(this.#key).catch(() => undefined);
    listener.on("message", () => void this.refresh());
    listener.on("ready", subscribe);
    if (listener.status === "ready") subscribe();
  }
}

async function confirmed<T>(what: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new SharedAway(`Redis did not ${what}: ${redisCause(error)}`, { cause: error });
  }
}

interface Answer {
  readonly nowMs: number;
  readonly fields: Fields;
  readonly edges: ReadonlyMap<string, Said>;
}

/** Null when it is not ours. */
function readAnswer(given: unknown): Answer | null {
  if (!Array.isArray(given)) return null;
  const [now, all] = given as readonly unknown[];
  const nowMs = Number(now);
  if (!Number.isSafeInteger(nowMs) || !Array.isArray(all)) return null;
  const fields = new Map<string, string>();
  const edges = new Map<string, Said>();
  for (let i = 0; i + 1 < all.length; i += 2) {
    const [name = "", text = ""] = [all[i], all[i + 1]];
    if (name.startsWith(EDGE_PREFIX)) edges.set(name.slice(EDGE_PREFIX.length), readSaid(text));
    else fields.set(name, text);
  }
  return { nowMs, fields, edges };
}

function readSaid(text: string): Said {
  const end = text.indexOf(" ");
  return { atMs: Number(text.slice(0, end)) || 0, text: text.slice(end + 1) };
}

function sameFields(one: Fields, other: Fields): boolean {
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);
}
