import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { nowMs } from "../chaos/monotonic.ts";
import type { StagedEdge } from "./stage.ts";

/** The part of `GET /v1/status` that a move shows in. */
export interface EdgeStatus {
  readonly edge: string;
  readonly epoch: number;
  readonly writeRegion: string | null;
  readonly mode: "rw" | "ro";
  readonly move: MoveStatus | null;
}

export interface MoveStatus {
  readonly id: string;
  readonly to: string;
  readonly step: Step;
  /** The edge that carries it out. */
  readonly by: string;
}

export const STEPS = ["hold", "catch-up", "hook", "verify"] as const;
export type Step = (typeof STEPS)[number];

/** Something that an edge was seen to say. */
export type Sighting = { readonly edge: string; readonly atMs: number } & (
  | { readonly what: "health"; readonly region: string; readonly to: string }
  | { readonly what: "epoch"; readonly epoch: number; readonly writeRegion: string | null }
  | { readonly what: "move"; readonly move: MoveStatus | null }
);

const STATUS_EVERY_MS = 30;
const STATUS_TIMEOUT_MS = 500;

/** What every edge says, as it says it: its events, and its status again and again. */
export class Watch {
  readonly sightings: Sighting[] = [];
  readonly #edges: readonly StagedEdge[];
  readonly #statuses = new Map<string, EdgeStatus>();
  readonly #agent = new Agent();
  readonly #ended = new AbortController();
  readonly #watching: Promise<unknown>[] = [];

  constructor(edges: readonly StagedEdge[]) {
    this.#edges = edges;
  }

  start(): void {
    for (const edge of this.#edges) this.#watching.push(this.#listen(edge), this.#ask(edge));
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#watching);
    await this.#agent.destroy();
  }

  /** The last that is known of each edge that lives. */
  get statuses(): readonly EdgeStatus[] {
    return this.#edges.flatMap(({ id, process }) => (process === null ? [] : (this.#statuses.get(id) ?? [])));
  }

  /** The first that fits from a time on; null when there is none yet. */
  first(sinceMs: number, fits: (sighting: Sighting) => boolean): Sighting | null {
    const found = this.sightings.filter((sighting) => sighting.atMs >= sinceMs && fits(sighting));
    return found.toSorted((one, other) => one.atMs - other.atMs)[0] ?? null;
  }

  async #listen({ id, process }: StagedEdge): Promise<void> {
    try {
      const { body } = await fetch(`${process?.adminUrl}/v1/events`, { signal: this.#ended.signal });
      let pending = "";
      for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const events = (pending + chunk).split("\n\n");
        pending = events.pop() ?? "";
        for (const event of events) this.#hear(id, event);
      }
    } catch {
      // The edge is dead, or the play is over.
    }
  }

  #hear(edge: string, event: string): void {
    const name = /^event: (.*)$/m.exec(event)?.[1];
    const data = JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? "{}");
    const seen = { edge, atMs: nowMs() };
    if (name === "healthChanged") {
      const { region, to } = data;
      this.sightings.push({ ...seen, what: "health", region, to });
    }
    if (name === "epochChanged") {
      const { epoch, writeRegion } = data;
      this.sightings.push({ ...seen, what: "epoch", epoch, writeRegion });
    }
  }

  async #ask(edge: StagedEdge): Promise<void> {
    while (!this.#ended.signal.aborted && edge.process !== null) {
      await this.#askOnce(edge, edge.process.adminUrl);
      await sleep(STATUS_EVERY_MS);
    }
  }

  async #askOnce({ id }: StagedEdge, adminUrl: string): Promise<void> {
    try {
      const { body } = await request(`${adminUrl}/v1/status`, {
        dispatcher: this.#agent,
        headersTimeout: STATUS_TIMEOUT_MS,
      });
      const status = (await body.json()) as EdgeStatus;
      const before = this.#statuses.get(id)?.move ?? null;
      this.#statuses.set(id, status);
      const move = status.move ?? null;
      const isNews = before?.id !== move?.id || before?.step !== move?.step || before?.by !== move?.by;
      if (isNews) this.sightings.push({ edge: id, atMs: nowMs(), what: "move", move });
    } catch {
      // Stopped, or dead.
    }
  }
}
