import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { statusMatcher } from "./answer.ts";
import type { EndpointState } from "./endpoint.ts";
import type { ProbeSettings } from "./probe.ts";
import { BEAT_MS, type RegionTable } from "./table.ts";
import { Watch } from "./watch.ts";

export interface ProberParts {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  /** Meridian's version, for `user-agent`. */
  readonly version: string;
}

/** Keeps every endpoint of a table probed. What comes of a probe, bad or good, is told to the table. */
export class Prober {
  readonly #table: RegionTable;
  readonly #parts: ProberParts;
  readonly #watches = new Map<EndpointState, Watch>();
  #settings: ProbeSettings;
  #intervalMs: number;
  #beat: NodeJS.Timeout | null = null;

  constructor(table: RegionTable, config: Config, parts: ProberParts) {
    this.#table = table;
    this.#parts = parts;
    this.#settings = settingsOf(config, parts.version);
    this.#intervalMs = config.health.interval;
    this.#follow();
    table.onSuspect((endpoint) => this.#watches.get(endpoint)?.soon());
  }

  /**
   * Hears once from every endpoint, all at the same time; ends when each has answered or timed out, so
   * that nothing is routed on ignorance. One that answers is asked twice more: a first answer is often
   * slow, and the median of three already ranks the regions well.
   */
  async firstRound(): Promise<void> {
    await Promise.all([...this.#watches.values()].map((watch) => watch.firstProbes()));
  }

  /** Begins the regular probes, and the table's beat. */
  start(): void {
    this.#beat ??= setInterval(() => this.#table.beat(), BEAT_MS);
    this.#table.beat();
    for (const watch of this.#watches.values()) watch.start();
  }

  /**
   * Hears a region anew. Resolves to whether each of its endpoints in service has passed a probe that began after this
   * call, so that what the table has of it is no older.
   */
  async ask(region: string): Promise<boolean> {
    const watches = [...this.#watches].filter(([endpoint]) => endpoint.region === region);
    const heard = watches.map(async ([endpoint, watch]) => (await watch.ask()) || !endpoint.serving);
    return (await Promise.all(heard)).every(Boolean);
  }

  /** After the table was configured: probes what is new at once, and forgets what is gone. */
  configure(config: Config): void {
    this.#settings = settingsOf(config, this.#parts.version);
    this.#intervalMs = config.health.interval;
    for (const watch of this.#follow()) if (this.#beat !== null) watch.soon();
  }

  /** Ends all probes; those under way are not counted. */
  async stop(): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat);
    this.#beat = null;
    const watches = [...this.#watches.values()];
    this.#watches.clear();
    await Promise.all(watches.map((watch) => watch.stop()));
  }

  /** Makes the watches those of the table's endpoints; returns the new ones. */
  #follow(): readonly Watch[] {
    const endpoints = new Set(this.#table.endpoints);
    for (const [endpoint, watch] of this.#watches) {
      if (endpoints.has(endpoint)) continue;
      this.#watches.delete(endpoint);
      void watch.stop();
    }
    return [...endpoints].filter((endpoint) => !this.#watches.has(endpoint)).map((one) => this.#add(one));
  }

  #add(endpoint: EndpointState): Watch {
    const watch = new Watch(endpoint, {
      clock: this.#parts.clock,
      chance: this.#parts.chance,
      settings: () => this.#settings,
      intervalMs: () => this.#intervalMs,
      hides: (forMs) => this.#table.blackHole.hides(endpoint.region, forMs),
      probed: (outcome, startedMs) => this.#table.probed(endpoint, outcome, startedMs),
      failed: (error) => this.#table.probeBroke(error),
    });
    this.#watches.set(endpoint, watch);
    return watch;
  }
}

function settingsOf({ health, edge }: Config, version: string): ProbeSettings {
  return {
    path: health.path,
    timeoutMs: health.timeout,
    expects: statusMatcher(health.expectStatus),
    headers: {
      "user-agent": `meridian/${version}`,
      "x-meridian-edge": edge.id,
      accept: "application/json, */*",
    },
  };
}
