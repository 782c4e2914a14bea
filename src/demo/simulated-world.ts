import { type Clock, systemClock } from "../clock.ts";
import { RequestLedger } from "./ledger.ts";
import { RegionStore, ReplicationLink } from "./replication.ts";
import { type RegionSetup, SimulatedRegion } from "./simulated-region.ts";

export interface WorldOptions {
  readonly host?: string;
  readonly clock?: Clock;
}

/** One application in several regions: the writer's log reaches every other region after that one's lag. */
export class SimulatedWorld {
  readonly ledger = new RequestLedger();
  readonly regions: readonly SimulatedRegion[];
  /** Raised by a promotion. */
  epoch = 1;
  readonly #writers: Set<string>;
  readonly #links = new Map<string, ReplicationLink>();
  readonly #clock: Clock;
  #position = 0;

  private constructor(
    setups: readonly RegionSetup[],
    { host = "127.0.0.1", clock = systemClock }: WorldOptions,
  ) {
    this.#clock = clock;
    this.#writers = new Set(setups.filter(({ role }) => role === "writer").map(({ id }) => id));
    this.regions = setups.map((setup) => this.#build(setup, host));
  }

  /** Resolves when every region listens. */
  static async start(setups: readonly RegionSetup[], options: WorldOptions = {}): Promise<SimulatedWorld> {
    const world = new SimulatedWorld(setups, options);
    await Promise.all(world.regions.map((region) => region.listen()));
    return world;
  }

  /** Throws on a name that was never set up: a mistake in a test, not a state of the world. */
  region(id: string): SimulatedRegion {
    const found = this.regions.find((region) => region.id === id);
    if (found === undefined) throw new Error(`no simulated region ${id}`);
    return found;
  }

  get writer(): SimulatedRegion {
    const found = this.regions.find(({ id }) => this.#writers.has(id));
    if (found === undefined) throw new Error("no simulated writer");
    return found;
  }

  /**
   * Makes a region the one writer, as the promotion of a database would: what has not reached it by now is lost. The same epoch
   * may be asked for again; false: it is over already.
   */
  promote(id: string, epoch: number): boolean {
    const { id: promoted } = this.region(id);
    if (epoch < this.epoch) return false;
    this.epoch = epoch;
    this.#writers.clear();
    this.#writers.add(promoted);
    this.#links.get(promoted)?.close();
    return true;
  }

  /** Nothing listens and no timer runs afterwards. */
  async stop(): Promise<void> {
    for (const link of this.#links.values()) link.close();
    await Promise.all(this.regions.map((region) => region.kill()));
  }

  #build(setup: RegionSetup, host: string): SimulatedRegion {
    const store = new RegionStore();
    const link = new ReplicationLink(store, this.#clock, setup.lagMs ?? 0);
    this.#links.set(setup.id, link);
    const write = (key: string) => this.#write(setup.id, store, key);
    return new SimulatedRegion(setup, {
      store,
      link,
      write,
      host,
      ledger: this.ledger,
      epoch: () => this.epoch,
      isWriter: () => this.#writers.has(setup.id),
    });
  }

  #write(from: string, store: RegionStore, key: string) {
    this.#position += 1;
    const entry = {
      position: this.#position,
      key,
      version: store.version(key) + 1,
      writtenAtMs: this.#clock.now(),
    };
    store.apply(entry);
    for (const [id, link] of this.#links) if (id !== from) link.push(entry);
    return entry;
  }
}
