/** What is mostly known at once. Only where something is really waited for is it a promise: most requests wait for nothing. */
export type Soon<T> = T | Promise<T>;

/** Goes on with it: at once, or when it is known. */
export function whenKnown<T, Next>(soon: Soon<T>, use: (known: T) => Soon<Next>): Soon<Next> {
  return soon instanceof Promise ? soon.then(use) : use(soon);
}
