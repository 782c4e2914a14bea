import { type Order, takeOrders } from "./child.ts";
import type { Outage, WorldRecord } from "./history.ts";
import { nowMs } from "./monotonic.ts";
import { seeded } from "./random.ts";
import { ChaosRegion, type RegionDatabase } from "./region.ts";
import { RegionCopy } from "./region-copy.ts";
import { WriteLog } from "./write-log.ts";

/** Least and most of the region's lag, which wanders between them, while it is a replica. */
interface Setup {
  readonly id: string;
  readonly delayMs: number;
  readonly lagMs: readonly [number, number];
}

const SETUPS: readonly Setup[] = [
  { id: "us-east", delayMs: 30, lagMs: [100, 600] },
  { id: "eu-west", delayMs: 4, lagMs: [100, 600] },
  { id: "ap-south", delayMs: 16, lagMs: [400, 1_800] },
];
const FIRST_WRITER = "us-east";
const LAG_CHANGES_EVERY_MS = 700;

/** The simulated regions of a chaos run, in a process of their own: what they do is not the edges' or the clients' load. */
class World {
  readonly #log = new WriteLog(FIRST_WRITER);
  readonly #outages: (Outage & { toMs: number | null })[] = [];
  readonly #copies: ReadonlyMap<string, RegionCopy> = new Map(
    SETUPS.map(({ id }) => [id, new RegionCopy(id, this.#log)]),
  );
  readonly #regions: readonly ChaosRegion[] = SETUPS.map((setup) => this.#build(setup));

  async listen(): Promise<Readonly<Record<string, string>>> {
    await Promise.all(this.#regions.map((region) => region.listen()));
    return Object.fromEntries(this.#regions.map(({ id, url }) => [id, url]));
  }

  wander(chance: () => number): void {
    for (const { id, lagMs } of SETUPS) this.#copy(id).lagMs = lagMs[0] + (lagMs[1] - lagMs[0]) * chance();
  }

  async act({ act, region: id = "", ms = 0 }: Order): Promise<unknown> {
    if (act === "record") return this.#record;
    const region = this.#regions.find((candidate) => candidate.id === id);
    if (region === undefined) throw new Error(`no region named ${id}`);
    if (act === "kill") return this.#kill(region);
    if (act === "revive") return this.#revive(region);
    if (act === "freeze") return this.#copy(id).freeze();
    if (act === "thaw") return this.#copy(id).thaw();
    if (act === "hand-over") return this.#handOverTo(id);
    if (act === "sever") return this.#sever(region);
    if (act === "promote") return this.#promote(id);
    if (act === "slow") region.slowMs = ms;
    if (act === "hold") region.holdMs = ms;
    return undefined;
  }

  get #record(): WorldRecord {
    const { executions, reigns } = this.#log;
    return { executions, reigns, outages: this.#outages };
  }

  #copy(id: string): RegionCopy {
    const copy = this.#copies.get(id);
    if (copy === undefined) throw new Error(`no region named ${id}`);
    return copy;
  }

  async #kill(region: ChaosRegion): Promise<void> {
    this.#outages.push({ region: region.id, fromMs: nowMs(), toMs: null });
    await region.kill();
  }

  async #revive(region: ChaosRegion): Promise<void> {
    await region.listen();
    const outage = this.#outages.findLast(({ region: id }) => id === region.id);
    if (outage !== undefined) outage.toMs = nowMs();
  }

  /** The writer takes no more writes, and the one that shall follow it has them all. */
  #handOverTo(id: string): void {
    this.#log.fenced = true;
    this.#copy(id).catchUp();
  }

  /** The writer is gone, and what no replica has of it stays with it. */
  async #sever(writer: ChaosRegion): Promise<void> {
    for (const copy of this.#copies.values()) copy.freeze();
    await this.#kill(writer);
  }

  /** Where this region is, the next epoch begins; whoever is further goes back to it. */
  #promote(id: string): void {
    this.#log.promote(id, this.#copy(id).position);
    for (const copy of this.#copies.values()) {
      copy.rewind();
      copy.thaw();
    }
  }

  #build({ id, delayMs }: Setup): ChaosRegion {
    return new ChaosRegion({ id, delayMs, database: this.#databaseOf(id) });
  }

  #databaseOf(id: string): RegionDatabase {
    const [log, copy] = [this.#log, this.#copy(id)];
    return {
      get epoch() {
        return log.epoch;
      },
      get writer() {
        return log.writer === id;
      },
      get takesWrites() {
        return log.writer === id && !log.fenced;
      },
      get position() {
        return copy.position;
      },
      get lagMs() {
        return log.writer === id ? 0 : copy.observedLagMs;
      },
      version: (key) => copy.version(key),
      commit: (operation, key) => this.#commit(operation, key),
    };
  }

  #commit(operation: string, key: string) {
    const entry = this.#log.append(operation, key);
    this.#copy(this.#log.writer).catchUp();
    for (const copy of this.#copies.values()) copy.follow();
    return entry;
  }
}

const world = new World();
const chance = seeded(Number(process.argv[2]));
setInterval(() => world.wander(chance), LAG_CHANGES_EVERY_MS);
world.wander(chance);
takeOrders(await world.listen(), (order) => world.act(order));
