/** Longer keys are not kept, so that a stranger's do not take the memory of many. */
const MAX_KEY_LENGTH = 1_024;
const DEFAULT_CAPACITY = 10_000;

/**
 * What has been worked out lately, by the text that it was worked out from: at least the `capacity` used last, at most twice
 * as many. Two generations, of which the older is forgotten when the younger is full; what is used again is carried over. So
 * a hit costs one look into a Map, where an order of use would cost three changes of one.
 */
export class Recent<T extends NonNullable<unknown>> {
  readonly #capacity: number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  get(key: string): T | undefined {
    const found = this.#young.get(key);
    if (found !== undefined) return found;
    const older = this.#old.get(key);
    if (older !== undefined) this.#add(key, older);
    return older;
  }

  set(key: string, value: T): void {
    if (key.length > MAX_KEY_LENGTH) return;
    // A cookie's text may be a window on the whole header that it came in, which would be kept with it.
    const own = Buffer.from(key, "utf8").toString("utf8");
    if (own === key) this.#add(own, value);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #add(key: string, value: T): void {
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
