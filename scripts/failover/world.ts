import { type Order, takeOrders } from "../chaos/child.ts";
import type { Outage } from "../chaos/history.ts";
import { nowMs } from "../chaos/monotonic.ts";
import { seeded } from "../chaos/random.ts";
import { Database } from "./database.ts";
import { Ledger } from "./ledger.ts";
import { PeerDatabase } from "./peer-database.ts";
import { type HookBody, type HookMode, Promoter } from "./promoter.ts";
import { Site } from "./site.ts";
import type { FailoverWorldRecord, WorldReady, WorldSetup } from "./world-record.ts";

const REPLICATION_TICK_MS = 5;
/** Least and most of the replicas' lag, which wanders. */
const LAG_MS = [60, 300] as const;
const LAG_CHANGES_EVERY_MS = 500;

/** Regions with databases of their own, the ways to them from each edge, and the promoter of the databases. */
class World {
  readonly #ledger = new Ledger();
  readonly #outages: (Outage & { toMs: number | null })[] = [];
  readonly #sites: readonly Site[];
  readonly #promoter = new Promoter((asked) => this.#promoteAsAsked(asked));
  readonly #isPlural: boolean;
  /** From a promotion until its region says so. */
  #silentMs = 0;

  constructor({ regions, writer }: WorldSetup) {
    this.#isPlural = writer === null;
    if (writer !== null) this.#ledger.begin(1, writer);
    const database = (id: string) =>
      writer === null ? new PeerDatabase(id, this.#ledger) : new Database(id, id === writer, this.#ledger);
    this.#sites = regions.map((id) => new Site(database(id)));
  }

  async listen(edges: WorldSetup["edges"]): Promise<WorldReady> {
    await Promise.all(this.#sites.map((site) => site.listen(edges)));
    const endpoints = edges.map(
      ({ id }) => [id, Object.fromEntries(this.#sites.map((site) => [site.id, site.url(id)]))] as const,
    );
    return { hookUrl: await this.#promoter.listen(), endpoints: Object.fromEntries(endpoints) };
  }

  /** Databases copy what is due to them from those that they can reach. */
  replicate(): void {
    for (const site of this.#sites) {
      if (!site.isReachable || site.isFrozen) continue;
      for (const source of this.#sources(site)) site.database.follow(source.database);
    }
  }

  wander(chance: () => number): void {
    const [least, most] = LAG_MS;
    for (const { database } of this.#sites) database.replicationMs = least + (most - least) * chance();
  }

  async act(order: Order): Promise<unknown> {
    const { act, ms = 0, mode = "works", region } = order;
    if (act === "record") return this.#record();
    if (act === "hook") this.#promoter.mode = mode as HookMode;
    if (act === "promoted-silent") this.#silentMs = ms;
    if (region !== undefined) await this.#actOn(this.#site(region), order);
    return undefined;
  }

  async #actOn(site: Site, { act, edge = "" }: Order): Promise<void> {
    if (act === "kill" || act === "isolate" || act === "unmanage") await this.#takeAway(site, act);
    if (act === "revive" || act === "rejoin" || act === "manage") await this.#bringBack(site, act);
    if (act === "freeze") site.isFrozen = true;
    if (act === "thaw") site.isFrozen = false;
    if (act === "shut") await site.link(edge).shut();
    if (act === "stall") site.link(edge).stall();
    if (act === "mend") await site.link(edge).reopen();
    if (act === "promote")
      this.#promote(site, 1 + Math.max(...this.#ledger.reigns.map(({ epoch }) => epoch)));
  }

  async #takeAway(site: Site, act: "kill" | "isolate" | "unmanage"): Promise<void> {
    this.#outages.push({ region: site.id, fromMs: nowMs(), toMs: null });
    if (act === "unmanage") site.isManaged = false;
    else await site[act]();
  }

  /** Before it hears anybody else it learns who is the writer, and that it is not, if so. */
  async #bringBack(site: Site, act: "revive" | "rejoin" | "manage"): Promise<void> {
    const [newest, { database }] = [this.#newest, site];
    if (newest !== null && database instanceof Database && newest.epoch > database.epoch)
      database.become(newest);
    if (act === "manage") site.isManaged = true;
    else await site[act]();
    const outage = this.#outages.findLast(({ region, toMs }) => region === site.id && toMs === null);
    if (outage !== undefined) outage.toMs = nowMs();
  }

  /** Where the old writer cannot be stopped, it takes an emergency to go on without it. False: nothing is done. */
  #promoteAsAsked({ from, to, epoch, automatic, forced }: HookBody): boolean {
    const target = this.#site(to);
    if (!target.isReachable || !(this.#site(from).isReachable || automatic || forced)) return false;
    this.#promote(target, epoch);
    return true;
  }

  /** What an operator or the hook does: the old writer takes no more, the new one gets the rest of its log, and writes. */
  #promote(site: Site, epoch: number): void {
    const target = site.database;
    if (!(target instanceof Database) || (target.takesWrites && target.epoch === epoch)) return;
    const others = this.#sites.flatMap(({ database, isReachable }) =>
      database instanceof Database && database !== target && isReachable ? [database] : [],
    );
    for (const old of others.filter(({ takesWrites }) => takesWrites)) {
      old.demote();
      target.catchUpWith(old);
    }
    target.promote(epoch);
    target.saysFromMs = nowMs() + this.#silentMs;
    this.#ledger.begin(epoch, site.id);
    this.#ledger.lose((entry) => target.has(entry));
    for (const database of others) database.become(target);
  }

  /** Whose log this one takes. */
  #sources(site: Site): readonly Site[] {
    const others = this.#sites.filter((other) => other !== site && other.isReachable);
    if (this.#isPlural) return others;
    const { epoch } = site.database;
    return others.filter(({ database }) => database.takesWrites && database.epoch === epoch);
  }

  #site(id: string): Site {
    const site = this.#sites.find((one) => one.id === id);
    if (site === undefined) throw new Error(`no region named ${id}`);
    return site;
  }

  /** Of the highest epoch; null where all write. */
  get #newest(): Database | null {
    const reign = this.#ledger.reigns.toSorted((one, other) => other.epoch - one.epoch)[0];
    const database = reign === undefined ? null : this.#site(reign.writer).database;
    return database instanceof Database ? database : null;
  }

  #record(): FailoverWorldRecord {
    const newest = this.#newest;
    if (newest !== null) this.#ledger.lose((entry) => newest.has(entry));
    const { executions, reigns } = this.#ledger;
    return { executions, reigns, outages: this.#outages, hookCalls: this.#promoter.calls };
  }
}

const setup = JSON.parse(process.argv[2] ?? "{}") as WorldSetup;
const world = new World(setup);
const chance = seeded(setup.seed);
setInterval(() => world.wander(chance), LAG_CHANGES_EVERY_MS);
setInterval(() => world.replicate(), REPLICATION_TICK_MS);
world.wander(chance);
takeOrders(await world.listen(setup.edges), (order) => world.act(order));
