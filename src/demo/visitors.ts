import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { Tally } from "./tally.ts";
import { type Visit, Visitor } from "./visitor.ts";

export interface VisitorsOptions {
  /** Where the edge listens. */
  readonly url: string;
  readonly count: number;
  /** Mean pause of a visitor between two steps. */
  readonly thinkMs: number;
  /** Share of steps that write, 0 to 1; each is followed at once by reads from both devices. */
  readonly writeShare: number;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
}

const KEYS_PER_VISITOR = 3;
/** Visits are short, so that one sees within seconds where new sessions go. */
const STEPS_PER_VISIT = 12;

/** Light traffic of users who visit through one edge: mostly reads, some writes that they look at at once. */
export class Visitors {
  readonly tally = new Tally();
  readonly #options: VisitorsOptions;
  readonly #agent = new Agent({ connections: 64, keepAliveTimeout: 30_000 });
  readonly #leave = new AbortController();
  readonly #visitors: readonly Visitor[];
  #loops: Promise<void>[] = [];

  constructor(options: VisitorsOptions) {
    this.#options = options;
    const edge = { origin: options.url, agent: this.#agent };
    this.#visitors = Array.from(
      { length: options.count },
      (_, index) => new Visitor(`visitor-${index + 1}`, edge, this.tally),
    );
  }

  start(): void {
    this.#loops = this.#visitors.map((visitor) => this.#live(visitor));
  }

  /** One visitor writes now and looks at it from both devices; null where a step failed. */
  async writeNow(): Promise<readonly (Visit | null)[]> {
    const visitor = this.#visitors[0];
    return visitor === undefined ? [] : writeAndLook(visitor, this.#key(visitor));
  }

  /** Requests under way are cut. */
  async stop(): Promise<void> {
    this.#leave.abort();
    await this.#agent.destroy();
    await Promise.all(this.#loops);
  }

  async #live(visitor: Visitor): Promise<void> {
    while (await this.#think()) {
      const key = this.#key(visitor);
      if (this.#options.chance() < 1 / STEPS_PER_VISIT) visitor.forget();
      if (this.#options.chance() < this.#options.writeShare) await writeAndLook(visitor, key);
      else await visitor.read(key, this.#options.chance() < 0.8 ? "browser" : "phone");
    }
  }

  /** Resolves to false when it is time to leave. */
  async #think(): Promise<boolean> {
    const pauseMs = this.#options.thinkMs * 2 * this.#options.chance();
    await sleep(pauseMs, undefined, { signal: this.#leave.signal }).catch(() => undefined);
    return !this.#leave.signal.aborted;
  }

  #key(visitor: Visitor): string {
    return `${visitor.id}-${Math.floor(this.#options.chance() * KEYS_PER_VISITOR)}`;
  }
}

async function writeAndLook(visitor: Visitor, key: string): Promise<readonly (Visit | null)[]> {
  const written = await visitor.write(key);
  return [written, ...(await Promise.all([visitor.read(key, "browser"), visitor.read(key, "phone")]))];
}
