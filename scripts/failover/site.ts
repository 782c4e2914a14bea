import { Link } from "../chaos/link.ts";
import { ChaosRegion } from "../chaos/region.ts";
import type { WorldDatabase } from "./database.ts";
import type { WorldSetup } from "./world-record.ts";

/** Of a region, for a request. */
const WORK_MS = 4;

/** A region of the world: its application, its database, and the ways to it. */
export class Site {
  readonly id: string;
  readonly database: WorldDatabase;
  /** Copies nothing. */
  isFrozen = false;
  readonly #region: ChaosRegion;
  /** By edge. */
  readonly #links = new Map<string, Link>();
  #isUp = true;
  #isIsolated = false;
  /** Whether the promoter and the other databases reach it. */
  isManaged = true;

  constructor(database: WorldDatabase) {
    this.id = database.id;
    this.database = database;
    this.#region = new ChaosRegion({ id: this.id, delayMs: WORK_MS, database });
  }

  async listen(edges: WorldSetup["edges"]): Promise<void> {
    await this.#region.listen();
    const port = Number(new URL(this.#region.url).port);
    for (const { id, wayMs } of edges) this.#links.set(id, await Link.to(port, wayMs[this.id] ?? 0));
  }

  /** Its way from this edge. */
  link(edge: string): Link {
    const link = this.#links.get(edge);
    if (link === undefined) throw new Error(`no edge named ${edge}`);
    return link;
  }

  url(edge: string): string {
    return `http://127.0.0.1:${this.link(edge).ownPort}`;
  }

  /** By the promoter and by other databases. */
  get isReachable(): boolean {
    return this.#isUp && !this.#isIsolated && this.isManaged;
  }

  async kill(): Promise<void> {
    this.#isUp = false;
    await Promise.all([this.#region.kill(), ...this.#ways.map((link) => link.shut())]);
  }

  async revive(): Promise<void> {
    this.#isUp = true;
    await this.#region.listen();
    await Promise.all(this.#ways.map((link) => link.reopen()));
  }

  /** Nothing arrives here or leaves, and nobody is told so. */
  isolate(): void {
    this.#isIsolated = true;
    for (const link of this.#ways) link.stall();
  }

  rejoin(): void {
    this.#isIsolated = false;
    for (const link of this.#ways) link.mend();
  }

  get #ways(): readonly Link[] {
    return [...this.#links.values()];
  }
}
