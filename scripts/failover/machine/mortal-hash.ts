import type { Changes, Fields, Said, SharedHash } from "../../../src/fleet/shared-hash.ts";
import { readTopology } from "../../../src/fleet/topology-fields.ts";
import type { Life } from "./life.ts";
import { acknowledged, type Mutant } from "./mutants.ts";

const AHEAD_MS = 60_000;

/** The shared hash of an edge that may die while it waits for an answer, and hears nothing when it has. */
export class MortalHash implements SharedHash {
  readonly isShared = true;
  readonly selfKey: string;
  readonly #inner: SharedHash;
  readonly #life: Life;
  readonly #mutant: Mutant;

  constructor(inner: SharedHash, life: Life, mutant: Mutant) {
    this.#inner = inner;
    this.#life = life;
    this.#mutant = mutant;
    this.selfKey = inner.selfKey;
  }

  get(): Fields {
    return this.#inner.get();
  }

  edges(): ReadonlyMap<string, Said> {
    if (!this.#mutant.skipsAcknowledgements) return this.#inner.edges();
    return acknowledged(() => this.#inner.edges(), readTopology(this.get())?.move ?? null);
  }

  nowMs(): number {
    return this.#inner.nowMs() + (this.#isAhead ? AHEAD_MS : 0);
  }

  heardMsAgo(): number {
    return this.#inner.heardMsAgo();
  }

  onChange(listener: (fields: Fields) => void): () => void {
    return this.#inner.onChange((fields) => {
      if (!this.#life.isOver) listener(fields);
    });
  }

  onHeard(listener: () => void): () => void {
    return this.#inner.onHeard(() => {
      if (!this.#life.isOver) listener();
    });
  }

  say(make: () => string): void {
    this.#inner.say(make);
  }

  refresh(): Promise<boolean> {
    return this.#life.pass(() => this.#inner.refresh());
  }

  set(changes: Changes): Promise<void> {
    return this.#life.pass(() => this.#inner.set(changes));
  }

  setIf(guard: string, expected: string, changes: Changes): Promise<boolean> {
    return this.#life.pass(() => this.#inner.setIf(guard, expected, changes));
  }

  push(...given: Parameters<SharedHash["push"]>): ReturnType<SharedHash["push"]> {
    return this.#life.pass(() => this.#inner.push(...given));
  }

  list(...given: Parameters<SharedHash["list"]>): ReturnType<SharedHash["list"]> {
    return this.#life.pass(() => this.#inner.list(...given));
  }

  /** By a clock that is far ahead every lease is over. */
  get #isAhead(): boolean {
    return this.#mutant.ignoresLeases === true && this.selfKey.startsWith("edge-3:");
  }

  start(): Promise<void> {
    return this.#inner.start();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
