import type { EventBus } from "../events.ts";

const KEPT = 50;

/** What happened lately, in words: the edge's events and the keys that were pressed. */
export class Happenings {
  readonly #lines: string[] = [];
  readonly #wall: () => number;
  readonly #onLine: (line: string) => void;

  constructor(wall: () => number, onLine: (line: string) => void) {
    this.#wall = wall;
    this.#onLine = onLine;
  }

  /** Newest last. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  add(text: string): void {
    const line = `${new Date(this.#wall()).toISOString().slice(11, 19)} ${text}`;
    this.#lines.push(line);
    if (this.#lines.length > KEPT) this.#lines.shift();
    this.#onLine(line);
  }

  watch(events: EventBus): void {
    events.on("healthChanged", ({ region, from, to, cause }) =>
      this.add(`${region}: ${from} -> ${to} (${cause})`),
    );
    events.on("admissionChanged", ({ region, from, to, by, why }) =>
      this.add(`${region}: ${from} -> ${to} by ${by} (${why})`),
    );
    events.on("redisState", ({ up, cause }) =>
      this.add(up ? "redis answers" : `redis is away (${cause ?? "no answer"})`),
    );
    events.on("retryBudgetExhausted", () => this.add("the retry budget is used up"));
  }
}
