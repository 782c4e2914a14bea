/** The present value of something that edges share, and who wants to hear of the next. */
export class Board<T> {
  readonly #listeners = new Set<(value: T) => void>();
  #value: T;

  constructor(first: T) {
    this.#value = first;
  }

  get(): T {
    return this.#value;
  }

  replace(value: T): void {
    this.#value = value;
    for (const listener of this.#listeners) listener(value);
  }

  /** Calls back after every change, until the function it returns is called. */
  onChange(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
