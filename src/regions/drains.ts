import type { Clock } from "../clock.ts";
import { drainedInMs, type Populations, type Sample } from "../routing/drain-estimate.ts";
import type { View } from "../routing/region.ts";
import type { OperatorAdmission } from "./summary.ts";

/** How often it is looked who is still there. */
const LOOK_MS = 2_000;
/** By what has happened in this time it is estimated how it goes on. */
const REMEMBERED_MS = 60_000;

export interface DrainsParts {
  readonly clock: Clock;
  readonly view: () => View;
  /** What the operator has said of a region. */
  readonly said: (region: string) => OperatorAdmission | undefined;
  /** Who is at a region now, as far as this edge knows. */
  readonly there: (region: string) => Populations;
}

/** A region that drains, and when it will be empty. */
export interface DrainStatus {
  /** Since when this edge has seen it drain. */
  readonly sinceWallMs: number;
  readonly deadlineWallMs: number | null;
  readonly estimatedEndWallMs: number | null;
}

interface Watched {
  readonly sinceWallMs: number;
  readonly samples: readonly Sample[];
}

/** Watches regions that drain become empty. */
export class Drains {
  readonly #parts: DrainsParts;
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;

  constructor(parts: DrainsParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Null for a region that does not drain. */
  status(region: string): DrainStatus | null {
    const { view } = this.#parts;
    if (view().byId.get(region)?.admission !== "draining") return null;
    const { sinceWallMs, samples } = this.#watched.get(region) ?? this.#begin(region);
    const deadlineWallMs = this.#deadline(region);
    const estimatedEndWallMs = this.#estimate([...samples, this.#sample(region)], deadlineWallMs);
    return { sinceWallMs, deadlineWallMs, estimatedEndWallMs };
  }

  /** When a region would be empty that began to drain now. */
  forecast(region: string, deadlineWallMs: number | null): number | null {
    return this.#estimate([this.#sample(region)], deadlineWallMs);
  }

  /** Counts who is there; done every two seconds. */
  look(): void {
    for (const { id, admission } of this.#parts.view().regions) {
      if (admission !== "draining") this.#watched.delete(id);
      else this.#count(id, this.#watched.get(id) ?? this.#begin(id));
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sample(region: string): Sample {
    return { atMs: this.#parts.clock.now(), there: this.#parts.there(region) };
  }

  /** None when the region drains by its own wish. */
  #deadline(region: string): number | null {
    const said = this.#parts.said(region);
    return said?.state === "draining" ? said.deadlineWallMs : null;
  }

  #begin(region: string): Watched {
    const watched = { sinceWallMs: this.#parts.clock.wall(), samples: [] };
    this.#watched.set(region, watched);
    return watched;
  }

  #count(region: string, { sinceWallMs, samples }: Watched): void {
    const sample = this.#sample(region);
    const recent = samples.filter(({ atMs }) => sample.atMs - atMs <= REMEMBERED_MS);
    this.#watched.set(region, { sinceWallMs, samples: [...recent, sample] });
  }

  #estimate(samples: readonly Sample[], deadlineWallMs: number | null): number | null {
    const wallMs = this.#parts.clock.wall();
    const leftMs = deadlineWallMs === null ? null : Math.max(0, deadlineWallMs - wallMs);
    const inMs = drainedInMs(samples, leftMs);
    return inMs === null ? null : wallMs + inMs;
  }
}
