import { setTimeout as sleep } from "node:timers/promises";
import { formatPosition } from "../../../src/demo/application.ts";
import { EventBus } from "../../../src/events.ts";
import { Failover } from "../../../src/fleet/failover.ts";
import type { Moved } from "../../../src/fleet/move-run.ts";
import { RedisHash } from "../../../src/fleet/redis-hash.ts";
import { Switchover } from "../../../src/fleet/switchover.ts";
import { firstTopology, type Topology, TopologyStore } from "../../../src/fleet/topology.ts";
import { connectRedis, type RedisClient } from "../../../src/redis.ts";
import type { Region, View } from "../../../src/routing/region.ts";
import { nowMs } from "../../chaos/monotonic.ts";
import type { Entry } from "../ledger.ts";
import { type Death, Life } from "./life.ts";
import { MortalHash } from "./mortal-hash.ts";
import type { Mutant } from "./mutants.ts";
import { REGIONS, type SimWorld } from "./sim-world.ts";

const WRITE_EVERY_MS = 12;
const PROBE_EVERY_MS = 150;
const WAY_MS = 12;
/** Before a write is executed, and before its answer is here, at most. */
const WRITE_MS = 30;
/** Of the writes, some are long on their way. */
const SLOW_SHARE = 0.1;
const SLOW_MS = 1_500;

export interface SimEdgeParts {
  readonly id: string;
  readonly redisPort: number;
  readonly namespace: string;
  readonly world: SimWorld;
  readonly mutant: Mutant;
  readonly mode: "manual" | "automatic";
  readonly death: Death | null;
  readonly chance: () => number;
}

/** A write that was answered as done. */
export interface Acknowledged {
  readonly entry: Entry;
  readonly sentMs: number;
  readonly edge: string;
}

/** The parts of an edge that move the write region, with writes that need no proxy. */
export class SimEdge {
  readonly id: string;
  readonly topology: TopologyStore;
  readonly acknowledged: Acknowledged[] = [];
  /** Epochs, in the order in which it was in them. */
  readonly epochs: number[] = [];
  readonly life: Life;
  readonly #parts: SimEdgeParts;
  readonly #client: RedisClient;
  readonly #hash: MortalHash;
  readonly #switchover: Switchover;
  readonly #failover: Failover;
  readonly #seen = new Map<string, Region>();
  readonly #timers: NodeJS.Timeout[] = [];
  #underWay = 0;
  #writes = 0;

  constructor(parts: SimEdgeParts) {
    const { id, redisPort, namespace, mutant, death } = parts;
    this.id = id;
    this.#parts = parts;
    this.life = new Life(death, () => {
      const { move } = this.topology.get();
      return move?.by === this.#hash.selfKey ? move.step : null;
    });
    this.#client = connectRedis(`redis://127.0.0.1:${redisPort}`, id);
    const isUrgent = (fields: ReadonlyMap<string, string>) => (fields.get("move") ?? "") !== "";
    const hash = new RedisHash(this.#client, namespace, { edgeId: id, isUrgent });
    this.#hash = new MortalHash(hash, this.life, mutant);
    this.topology = new MutableStore(this.#hash, firstTopology(REGIONS[0]), mutant);
    this.topology.onChange(({ epoch }) => this.epochs.push(epoch));
    const view = () => this.#view();
    const shared = { events: new EventBus(), hash: this.#hash, topology: this.topology, view };
    this.#switchover = new Switchover({
      ...shared,
      ask: (region) => this.life.pass(() => this.#ask(region)),
      hook: () => (move) => this.life.pass(() => parts.world.hook(move)),
      settings: () => ({ maxLagMs: 60_000, holdWritesMs: 10_000, holdDownMs: 1_000 }),
      traffic: () => ({ rates: [], capacities: new Map() }),
    });
    this.#failover = new Failover({
      ...shared,
      switchover: this.#switchover,
      config: () => ({ mode: parts.mode, after: 500, order: [], holdDown: 1_000, holdWrites: 10_000 }),
      now: nowMs,
    });
    this.#hash.say(() => this.#report());
    // Its reports stop with it, and what it has sent to Redis is still done.
    this.life.onDeath(() => this.#stop());
  }

  async start(): Promise<void> {
    for (const region of REGIONS) await this.#ask(region);
    await this.#hash.start();
    if (this.life.isOver) return;
    const every = (ms: number, act: () => Promise<unknown>) =>
      this.#timers.push(setInterval(() => void act(), ms));
    every(WRITE_EVERY_MS, () => this.#write());
    every(PROBE_EVERY_MS, () => Promise.all(REGIONS.map((region) => this.#ask(region))));
  }

  /** Never rejects: what a move comes to is seen in the end. */
  async move(to: string): Promise<Moved | string> {
    const wanted = { to, automatic: false, forced: false, who: "ops", reason: "the proof" };
    return this.#switchover.move(wanted).catch((error: unknown) => String(error));
  }

  async close(): Promise<void> {
    this.#failover.close();
    this.topology.close();
    this.life.end();
  }

  #stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#client.disconnect();
    void this.#hash.close().catch(() => undefined);
  }

  async #ask(region: string): Promise<boolean> {
    const { world, mutant } = this.#parts;
    const isJudging = this.topology.get().move?.step === "catch-up";
    if (mutant.hearsNothingAnew && isJudging && this.#seen.has(region)) return true;
    await this.#delay(WAY_MS);
    const database = world.database(region);
    if (database === null) {
      const known = this.#seen.get(region) ?? regionOf(region);
      this.#seen.set(region, { ...known, health: "down" });
      return false;
    }
    const { epoch, position, writer, lagMs } = database;
    const applied = { epoch, at: formatPosition(position) };
    await this.#delay(WAY_MS);
    this.#seen.set(region, { ...regionOf(region), applied, writer, lagMs });
    return true;
  }

  /** As long as nothing is moved; executed by the region if it takes writes of this epoch. */
  async #write(): Promise<void> {
    const { world, mutant, chance } = this.#parts;
    const { move, writer, epoch } = this.topology.get();
    const isReleased = mutant.releasesEarly === true && move?.step === "verify";
    if (move !== null && !isReleased) return;
    this.#underWay += 1;
    this.#writes += 1;
    const operation = `${this.id}-${this.#writes}-${nowMs()}`;
    const sentMs = nowMs();
    await this.#delay(chance() < SLOW_SHARE ? SLOW_MS : WRITE_MS);
    const database = world.database(writer ?? "");
    if (database?.takesWrites && database.epoch === epoch) {
      const entry = database.commit(operation, operation);
      await this.#delay(WRITE_MS);
      if (!this.life.isOver && world.database(database.id) !== null)
        this.acknowledged.push({ entry, sentMs, edge: this.id });
    } else await this.topology.refresh();
    this.#underWay -= 1;
  }

  #report(): string {
    const regions = [...this.#seen].map(([id, { health, writer, applied }]) => {
      const said = { epoch: applied?.epoch ?? null, applied: applied?.at ?? null };
      return [id, { health, latencyMs: null, lagMs: null, writer, ...said }] as const;
    });
    return JSON.stringify({
      version: "proof",
      holds: this.topology.get().move?.id ?? null,
      writesUnderWay: this.#parts.mutant.forgetsWritesUnderWay ? 0 : this.#underWay,
      drill: null,
      regions: Object.fromEntries(regions),
      rates: [],
    });
  }

  #view(): View {
    const { epoch, writer, promotions, move } = this.topology.get();
    const regions = REGIONS.map((id) => this.#seen.get(id) ?? regionOf(id));
    const byId = new Map(regions.map((region) => [region.id, region]));
    const moving = move !== null;
    return {
      regions,
      byId,
      nearest: regions,
      writeRegion: writer,
      epoch,
      vouched: false,
      moving,
      promotions,
    };
  }

  #delay(mostMs: number): Promise<void> {
    return sleep(mostMs * this.#parts.chance());
  }
}

/** A topology that forgets which epochs were given away, if that is the mistake to be made. */
class MutableStore extends TopologyStore {
  readonly #forgets: boolean;

  constructor(hash: MortalHash, first: Topology, mutant: Mutant) {
    super(hash, first);
    this.#forgets = mutant.reusesEpochs === true;
  }

  override get(): Topology {
    const topology = super.get();
    return this.#forgets ? { ...topology, spent: topology.epoch } : topology;
  }
}

function regionOf(id: string): Region {
  return {
    ...{ id, role: id === REGIONS[0] ? "writer" : "replica", jurisdiction: null, weight: 100, health: "up" },
    ...{
      admission: "open",
      latencyMs: 10,
      lagMs: null,
      applied: null,
      writer: null,
      fenced: false,
      warmth: 1,
    },
  } as const;
}
