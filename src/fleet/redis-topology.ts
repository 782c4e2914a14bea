import { randomBytes } from "node:crypto";
import { type RedisClient, redisCause } from "../redis.ts";
import { type Position, readPosition, writePosition } from "../routing/position.ts";
import { POLL_INTERVAL_MS, Polling } from "./polling.ts";
import {
  type Promotion,
  promoted,
  type Topology,
  TopologyAway,
  TopologyBoard,
  type TopologyStore,
} from "./topology.ts";
import { FOLLOW, HOLD, PROMOTE, RESUME } from "./topology-script.ts";

/** While the write region moves, each edge should know of its end at once. */
const MOVING_POLL_INTERVAL_MS = 100;
/** Tells this edge's holds from others'. */
const HOLDER_BYTES = 9;

/** How much longer a hold has to last for its promotion: whoever held back must hear of the new epoch before the hold is over. */
const ROOM_MS = 2_000;

interface TopologyCommands {
  meridianFollow(key: string, epoch: number, writer: string, promotions: string): Promise<unknown>;
  meridianHold(key: string, epoch: number, forMs: number, holder: string): Promise<unknown>;
  meridianResume(key: string, epoch: number, holder: string): Promise<unknown>;
  meridianPromote(
    key: string,
    from: number,
    to: number,
    writer: string,
    at: string,
    promotions: string,
    holder: string,
    roomMs: number,
  ): Promise<unknown>;
}

/**
 * The topology that all edges share, in the hash `NAMESPACE:topology`. Followed by polling, and at once by whoever has
 * reason to think that it has changed. While Redis is away the last known holds.
 */
export class RedisTopologyStore implements TopologyStore {
  readonly #client: RedisClient & TopologyCommands;
  readonly #key: string;
  readonly #polling: Polling;
  readonly #board: TopologyBoard;
  readonly #holder = randomBytes(HOLDER_BYTES).toString("base64url");
  /** The question that is waiting for its answer, and the one that will be put after it. */
  #asking: Promise<boolean> | null = null;
  #next: Promise<boolean> | null = null;
  #lapse: NodeJS.Timeout | undefined;

  /** The connection stays its maker's to close. `first` is what the file says. */
  constructor(client: RedisClient, namespace: string, first: Topology, chance: () => number = Math.random) {
    client.defineCommand("meridianFollow", { lua: FOLLOW, numberOfKeys: 1 });
    client.defineCommand("meridianHold", { lua: HOLD, numberOfKeys: 1 });
    client.defineCommand("meridianResume", { lua: RESUME, numberOfKeys: 1 });
    client.defineCommand("meridianPromote", { lua: PROMOTE, numberOfKeys: 1 });
    this.#client = client as RedisClient & TopologyCommands;
    this.#key = `${namespace}:topology`;
    this.#board = new TopologyBoard(first);
    const intervalMs = () => (this.get().mode === "ro" ? MOVING_POLL_INTERVAL_MS : POLL_INTERVAL_MS);
    this.#polling = new Polling({ poll: () => this.refresh(), intervalMs, chance });
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
    return this.#change(() => this.#client.meridianHold(this.#key, epoch, Math.ceil(forMs), this.#holder));
  }

  resume(epoch: number): Promise<boolean> {
    return this.#change(() => this.#client.meridianResume(this.#key, epoch, this.#holder));
  }

  promote(promotion: Promotion): Promise<boolean> {
    const { from, to, writer, at, whileHeld } = promotion;
    const promotions = writePromotions(promoted(this.get(), promotion).promotions);
    const rest = [writer, at ?? "", promotions, this.#holder, whileHeld ? ROOM_MS : 0] as const;
    return this.#change(() => this.#client.meridianPromote(this.#key, from, to, ...rest));
  }

  fileSays(): void {}

  start(): Promise<void> {
    return this.#polling.start();
  }

  async close(): Promise<void> {
    this.#polling.close();
    clearTimeout(this.#lapse);
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
      if (stored === null) return false;
      this.#board.replace(stored.topology);
      this.#lapseIn(stored.heldForMs);
      return true;
    } catch {
      return false;
    }
  }

  /** A hold is over at its time, whether or not Redis is there to say so. */
  #lapseIn(ms: number): void {
    clearTimeout(this.#lapse);
    if (this.get().mode === "rw") return;
    this.#lapse = setTimeout(() => this.#board.replace({ ...this.get(), mode: "rw" }), ms).unref();
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
}

/** Null when it is not ours: another version of an edge may have written it. */
function readTopology(given: unknown): { readonly topology: Topology; readonly heldForMs: number } | null {
  if (!Array.isArray(given)) return null;
  const [epochText, writer, mode, promotions, left] = given as (string | null)[];
  const epoch = Number(epochText);
  if (!Number.isSafeInteger(epoch) || epoch < 1 || (mode !== "rw" && mode !== "ro")) return null;
  const topology: Topology = {
    epoch,
    writer: writer || null,
    mode,
    promotions: readPromotions(promotions ?? ""),
  };
  return { topology, heldForMs: Number(left) };
}

function writePromotions(promotions: readonly Position[]): string {
  return promotions.map(writePosition).join(",");
}

function readPromotions(text: string): readonly Position[] {
  return text.split(",").flatMap((one) => readPosition(one) ?? []);
}
