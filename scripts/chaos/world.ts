import { systemClock } from "../../src/clock.ts";
import { RegionStore, ReplicationLink } from "../../src/demo/replication.ts";
import { type Order, takeOrders } from "./child.ts";
import type { Execution } from "./history.ts";
import { seeded } from "./random.ts";
import { ChaosRegion } from "./region.ts";

/** Least and most of a replica's lag, which wanders between them. */
interface Setup {
  readonly id: string;
  readonly delayMs: number;
  readonly lagMs: readonly [number, number] | null;
}

const SETUPS: readonly Setup[] = [
  { id: "us-east", delayMs: 30, lagMs: null },
  { id: "eu-west", delayMs: 4, lagMs: [100, 600] },
  { id: "ap-south", delayMs: 16, lagMs: [400, 1_800] },
];
const LAG_CHANGES_EVERY_MS = 700;

/** The simulated regions of a chaos run, in a process of their own: what they do is not the edges' or the clients' load. */
class World {
  readonly #executions: Execution[] = [];
  readonly #links = new Map<string, ReplicationLink>();
  readonly #regions: readonly ChaosRegion[] = SETUPS.map((setup) => this.#build(setup));
  #position = 0;

  async listen(): Promise<Readonly<Record<string, string>>> {
    await Promise.all(this.#regions.map((region) => region.listen()));
    return Object.fromEntries(this.#regions.map(({ id, url }) => [id, url]));
  }

  wander(chance: () => number): void {
    for (const { id, lagMs } of SETUPS) {
      const link = this.#links.get(id);
      if (link !== undefined && lagMs !== null) link.lagMs = lagMs[0] + (lagMs[1] - lagMs[0]) * chance();
    }
  }

  async act({ act, region: id, ms = 0 }: Order): Promise<unknown> {
    const region = this.#regions.find((candidate) => candidate.id === id);
    if (act === "ledger") return this.#executions;
    if (act === "kill") return region?.kill();
    if (act === "revive") return region?.listen();
    if (act === "freeze") return this.#links.get(id ?? "")?.freeze();
    if (act === "thaw") return this.#links.get(id ?? "")?.thaw();
    if (region !== undefined && act === "slow") region.slowMs = ms;
    if (region !== undefined && act === "hold") region.holdMs = ms;
    return undefined;
  }

  #build({ id, delayMs, lagMs }: Setup): ChaosRegion {
    const store = new RegionStore();
    const link = new ReplicationLink(store, systemClock, 0);
    if (lagMs !== null) this.#links.set(id, link);
    const commit = (operation: string, key: string) => this.#commit(store, operation, key);
    return new ChaosRegion({ id, writer: lagMs === null, delayMs, epoch: () => 1, store, link, commit });
  }

  #commit(store: RegionStore, operation: string, key: string) {
    this.#position += 1;
    const version = store.version(key) + 1;
    const entry = { position: this.#position, key, version, writtenAtMs: systemClock.now() };
    store.apply(entry);
    this.#executions.push({ operation, key, version });
    for (const link of this.#links.values()) link.push(entry);
    return entry;
  }
}

const world = new World();
const chance = seeded(Number(process.argv[2]));
setInterval(() => world.wander(chance), LAG_CHANGES_EVERY_MS);
world.wander(chance);
takeOrders(await world.listen(), (order) => world.act(order));
