/** Numbers in [0, 1) that a seed repeats: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of these; there must be one. */
export function oneOf<T>(items: readonly T[], chance: () => number): T {
  const [item] = items.slice(Math.floor(chance() * items.length));
  if (item === undefined) throw new RangeError("nothing to choose from");
  return item;
}

/** The same in another order (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], chance: () => number): readonly T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(Math.floor(chance() * left.length), 1));
}
