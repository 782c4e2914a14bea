import type { Step } from "../../../src/fleet/move.ts";

/** Awaited by the dead. */
const NEVER = new Promise<never>(() => undefined);

/** When an edge dies: at which of the calls that it waits for while it carries out a step, before the call is made or after. */
export interface Death {
  readonly step: Step;
  /** 1 is the first. */
  readonly atCall: number;
  readonly before: boolean;
}

/**
 * The life of one edge. Everything that it waits for passes here, and nothing that the dead wait for ever comes: as if its
 * process had been killed there, in the middle of whatever it was doing.
 */
export class Life {
  #death: Death | null;
  readonly #step: () => Step | null;
  readonly #onDeath: (() => void)[] = [];
  #calls = 0;
  #isOver = false;

  /** `step` is what it carries out now; null when it is nothing. */
  constructor(death: Death | null, step: () => Step | null) {
    this.#death = death;
    this.#step = step;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  onDeath(listener: () => void): void {
    this.#onDeath.push(listener);
  }

  /** Dies no more by itself. */
  spare(): void {
    this.#death = null;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const listener of this.#onDeath) listener();
  }

  async pass<T>(call: () => Promise<T>): Promise<T> {
    if (this.#isOver) return NEVER;
    if (this.#step() === this.#death?.step) this.#calls += 1;
    const isLast = this.#calls === this.#death?.atCall;
    if (isLast && this.#death?.before) this.end();
    const answer = await (this.#isOver ? NEVER : call()).then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    if (isLast && this.#death !== null) this.end();
    return this.#isOver ? NEVER : answer();
  }
}
