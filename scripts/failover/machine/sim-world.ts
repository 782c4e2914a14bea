import { setTimeout as sleep } from "node:timers/promises";
import type { HookAnswer } from "../../../src/fleet/hook.ts";
import type { Move } from "../../../src/fleet/move.ts";
import { Database } from "../database.ts";
import { Ledger } from "../ledger.ts";

export const REGIONS = ["us", "eu", "ap"] as const;
const REPLICATION_TICK_MS = 5;
/** When a promoter that is not careful gets to the old writer. */
const CARELESS_MS = 120;
/** After this time an edge gives a hook up. */
const HOOK_TIMEOUT_MS = 300;
const LATE_MS = 900;

/** What a hook does when it is called. */
export type HookAct = "works" | "fails" | "fails-after-work" | "hangs" | "late";

/** Three regions with databases of their own, in this process, and who promotes them. */
export class SimWorld {
  readonly ledger = new Ledger();
  readonly databases: ReadonlyMap<string, Database>;
  readonly dead = new Set<string>();
  /**
   * Whether the promoter stops the old writer, and gives the new one the rest of its log, before it promotes it. One that
   * does so afterwards, or not at all, leaves it to the edges that nothing is lost.
   */
  readonly #isCareful: boolean;
  readonly #acts: HookAct[];
  readonly #ticker: NodeJS.Timeout;
  #newestEpoch = 1;

  /** `acts`: what the hook does when it is called first, next, and so on; then it works. */
  constructor(isCareful: boolean, acts: readonly HookAct[], chance: () => number) {
    this.#isCareful = isCareful;
    this.#acts = [...acts];
    this.ledger.begin(1, REGIONS[0]);
    const database = (id: string) => new Database(id, id === REGIONS[0], this.ledger);
    this.databases = new Map(REGIONS.map((id) => [id, database(id)]));
    for (const one of this.databases.values())
      one.replicationMs = 10 + (chance() < 0.5 ? 100 : 2_500) * chance();
    this.#ticker = setInterval(() => this.#replicate(), REPLICATION_TICK_MS);
  }

  close(): void {
    clearInterval(this.#ticker);
  }

  /** Null when it is dead. */
  database(id: string): Database | null {
    return this.dead.has(id) ? null : (this.databases.get(id) ?? null);
  }

  mendHook(): void {
    this.#acts.length = 0;
  }

  /** It comes back as a replica, if another has taken over. */
  revive(id: string): void {
    const [database, newest] = [this.databases.get(id), this.newest];
    if (database && newest.epoch > database.epoch) database.become(newest);
    this.dead.delete(id);
  }

  /** The database of the newest epoch. */
  get newest(): Database {
    const reign = this.ledger.reigns.toSorted((one, other) => other.epoch - one.epoch)[0];
    const database = this.databases.get(reign?.writer ?? "");
    if (database === undefined) throw new Error("nobody reigns");
    return database;
  }

  async hook(move: Move): Promise<HookAnswer> {
    const act = this.#acts.shift() ?? "works";
    if (act === "late") void sleep(LATE_MS).then(() => this.#promote(move));
    if (act === "late" || act === "hangs") await sleep(HOOK_TIMEOUT_MS);
    if (act !== "works" && act !== "fails-after-work") return { done: false, cause: act };
    const isDone = this.#promote(move);
    return isDone && act === "works" ? { done: true } : { done: false, cause: act };
  }

  #promote({ to, epoch }: Move): boolean {
    const target = this.database(to);
    if (target === null || epoch === null || epoch < this.#newestEpoch) return false;
    this.#newestEpoch = epoch;
    if (target.takesWrites && target.epoch === epoch) return true;
    if (this.#isCareful) this.#takeOver(target);
    else void sleep(CARELESS_MS).then(() => this.#takeOver(target));
    const others = this.#others(target);
    target.promote(epoch);
    this.ledger.begin(epoch, to);
    if (this.#isCareful) for (const other of others) other.become(target);
    return true;
  }

  /** Careful: before the promotion. Careless: after it, and whatever is not there by then is forgotten. */
  #takeOver(target: Database): void {
    for (const other of this.#others(target)) {
      const wrote = other.takesWrites;
      other.demote();
      if (this.#isCareful && wrote) target.catchUpWith(other);
      if (!this.#isCareful) other.become(target);
    }
  }

  #others(target: Database): readonly Database[] {
    const alive = [...this.databases].filter(([id]) => !this.dead.has(id)).map(([, database]) => database);
    return alive.filter((database) => database !== target && database.epoch <= target.epoch);
  }

  #replicate(): void {
    for (const [id, database] of this.databases) {
      if (this.dead.has(id) || database.takesWrites) continue;
      for (const source of this.#others(database))
        if (source.takesWrites && source.epoch === database.epoch) database.follow(source);
    }
  }
}
