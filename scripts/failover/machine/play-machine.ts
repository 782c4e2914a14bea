import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../../test/support/eventually.ts";
import type { RedisServer } from "../../../test/support/redis.ts";
import { Link } from "../../chaos/link.ts";
import { nowMs } from "../../chaos/monotonic.ts";
import { seeded } from "../../chaos/random.ts";
import type { Death } from "./life.ts";
import { AS_BUILT, type Mutant } from "./mutants.ts";
import { EDGES, isUndisturbed, needsCare, type Script, scriptOf } from "./script.ts";
import { type Acknowledged, SimEdge, type SimEdgeParts } from "./sim-edge.ts";
import { REGIONS, SimWorld } from "./sim-world.ts";

/** Nothing is broken any more after this time. */
const MENDED_AFTER_MS = 7_000;
const RESTARTED_AFTER_MS = 1_500;
/** A lease, a hook's patience, a hold-down, and a busy machine. */
const WRITES_WITHIN_MS = 40_000;
const LAST_WRITES_MS = 400;
export interface MachineRun {
  readonly seed: number;
  readonly script: Script;
  /** What was promised and not kept, in words. */
  readonly broken: readonly string[];
  readonly acknowledged: number;
  readonly deaths: number;
  readonly epochs: number;
}

/** Plays one run of the state machine over a real Redis, in a namespace of its own. */
export async function playMachine(
  seed: number,
  redis: RedisServer,
  mutant: Mutant = AS_BUILT,
): Promise<MachineRun> {
  const chance = seeded(seed);
  const script = { ...scriptOf(chance), ...mutant.script };
  const stage = await MachineStage.set(seed, script, redis, mutant, chance);
  try {
    return await stage.play();
  } finally {
    await stage.strike();
  }
}

class MachineStage {
  readonly #seed: number;
  readonly #script: Script;
  readonly #redis: RedisServer;
  readonly #world: SimWorld;
  readonly #links: readonly Link[];
  readonly #parts: (index: number, death: Death | null) => SimEdgeParts;
  readonly #edges: SimEdge[] = [];
  readonly #former: SimEdge[] = [];
  #isMended = false;

  private constructor(
    seed: number,
    script: Script,
    redis: RedisServer,
    links: readonly Link[],
    mutant: Mutant,
    chance: () => number,
  ) {
    this.#seed = seed;
    this.#script = script;
    this.#redis = redis;
    this.#links = links;
    this.#world = new SimWorld(needsCare(script), script.hook, chance);
    this.#parts = (index, death) => ({
      ...{ id: EDGES[index] ?? "", redisPort: links[index]?.ownPort ?? 0, namespace: this.#namespace, death },
      ...{ world: this.#world, mutant, mode: script.kind === "writer dies" ? "automatic" : "manual", chance },
    });
  }

  static async set(
    seed: number,
    script: Script,
    redis: RedisServer,
    mutant: Mutant,
    chance: () => number,
  ): Promise<MachineStage> {
    const links = await Promise.all(EDGES.map(() => Link.to(redis.port, 0)));
    const stage = new MachineStage(seed, script, redis, links, mutant, chance);
    // A memory that is old enough to be believed.
    await redis.command(`HSET ${stage.#key} rev 1 bornMs 0 epoch 1 writer ${REGIONS[0]} mode rw`);
    for (const index of EDGES.keys()) await stage.#start(index, script.deaths[index] ?? null);
    return stage;
  }

  get #namespace(): string {
    return `run-${this.#seed}`;
  }

  get #key(): string {
    return `${this.#namespace}:topology`;
  }

  async #start(index: number, death: Death | null): Promise<void> {
    const edge = new SimEdge(this.#parts(index, death));
    const before = this.#edges[index];
    if (before !== undefined) this.#former.push(before);
    this.#edges[index] = edge;
    edge.life.onDeath(() => {
      if (!this.#isMended) setTimeout(() => void this.#restart(index, edge), RESTARTED_AFTER_MS).unref();
    });
    await edge.start();
  }

  async #restart(index: number, dead: SimEdge): Promise<void> {
    if (!this.#isMended && this.#edges[index] === dead) await this.#start(index, null);
  }

  async play(): Promise<MachineRun> {
    const mended = nowMs() + MENDED_AFTER_MS;
    await Promise.all([this.#move(), this.#empty(), this.#stall(), sleep(MENDED_AFTER_MS)]);
    await sleep(Math.max(0, mended - nowMs()));
    await this.#mend();
    const taken = await this.#writesAreTaken();
    const broken = [...this.#broken(), ...(taken ? [] : [`no writes are taken in the end: ${this.#states}`])];
    const { reigns } = this.#world.ledger;
    const deaths = this.#former.length;
    const acknowledged = this.#acknowledged.length;
    return { seed: this.#seed, script: this.#script, broken, acknowledged, deaths, epochs: reigns.length };
  }

  /** Does not wait for what a dead edge was asked for. */
  async #move(): Promise<void> {
    const { kind } = this.#script;
    await sleep(300);
    if (kind === "writer dies") return void this.#world.dead.add(REGIONS[0]);
    void this.#edges[0]?.move("eu");
    if (kind === "two moves") void this.#edges[1]?.move("ap");
    else await sleep(3_000).then(() => void this.#edges[2]?.move("ap"));
  }

  async #empty(): Promise<void> {
    const { emptiedAtMs } = this.#script;
    if (emptiedAtMs === null) return;
    await sleep(emptiedAtMs);
    await this.#redis.command(`DEL ${this.#key}`);
  }

  async #stall(): Promise<void> {
    const { stall } = this.#script;
    if (stall === null) return;
    const link = this.#links[stall.edge];
    await sleep(stall.atMs);
    link?.stall();
    await sleep(stall.forMs);
    link?.mend();
  }

  async #mend(): Promise<void> {
    this.#isMended = true;
    this.#world.mendHook();
    for (const { life } of this.#edges) life.spare();
    for (const region of [...this.#world.dead]) this.#world.revive(region);
    for (const [index, edge] of this.#edges.entries()) if (edge.life.isOver) await this.#start(index, null);
  }

  /** Through every edge, after all was mended. */
  async #writesAreTaken(): Promise<boolean> {
    const mendedMs = nowMs();
    const isTaken = ({ acknowledged }: SimEdge) => acknowledged.some(({ sentMs }) => sentMs > mendedMs);
    const taken = await eventually(() => this.#edges.every(isTaken), { withinMs: WRITES_WITHIN_MS }).catch(
      () => false,
    );
    // A move that goes on now, and a promoter that is not careful, have their effects within this time.
    await sleep(LAST_WRITES_MS);
    return taken;
  }

  /** What each edge believes. */
  get #states(): string {
    const states = this.#edges.map(({ id, topology }) => {
      const { epoch, writer, move } = topology.get();
      return `${id} has epoch ${epoch} at ${writer}, ${move === null ? "no move" : JSON.stringify(move)}`;
    });
    return states.join("; ");
  }

  get #acknowledged(): readonly Acknowledged[] {
    return [...this.#former, ...this.#edges].flatMap(({ acknowledged }) => acknowledged);
  }

  #broken(): readonly string[] {
    const { executions, reigns } = this.#world.ledger;
    const { newest } = this.#world;
    const broken: string[] = [];
    for (const [epoch, ofEpoch] of Map.groupBy(executions, (entry) => entry.epoch))
      if (new Set(ofEpoch.map(({ region }) => region)).size > 1)
        broken.push(`two regions took writes in epoch ${epoch}`);
    const begun = reigns.map(({ epoch }) => epoch);
    if (new Set(begun).size < begun.length) broken.push(`epochs ${begun.join(", ")} were begun`);
    const late = this.#acknowledged.filter(({ entry }) =>
      reigns.some(({ epoch, fromMs }) => epoch > entry.epoch && fromMs < entry.atMs),
    );
    if (late.length > 0) broken.push(`${late.length} writes were taken in an epoch that was over`);
    const lost = this.#acknowledged.filter(({ entry }) => !newest.has(entry));
    if (lost.length > 0 && this.#script.kind !== "writer dies")
      broken.push(`${lost.length} acknowledged writes are lost`);
    if (isUndisturbed(this.#script) && reigns.length < 2) broken.push("nothing spoke against the move");
    for (const { id, epochs } of [...this.#former, ...this.#edges])
      if (epochs.some((epoch, index) => epoch < (epochs[index - 1] ?? 0)))
        broken.push(`${id} went back an epoch`);
    return broken;
  }

  async strike(): Promise<void> {
    this.#isMended = true;
    await Promise.all([...this.#former, ...this.#edges].map((edge) => edge.close()));
    await Promise.all(this.#links.map((link) => link.close()));
    this.#world.close();
    await this.#redis.command(`DEL ${this.#key}`);
  }
}
