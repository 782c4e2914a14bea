/** What can be in a bag, one at a time. */
export interface Bagged {
  /** Where it is in its bag, which keeps this; {@link NOWHERE} while it is in none. */
  bagIndex: number;
}

export const NOWHERE = -1;

/**
 * Members in no order, for those that come and go with each request. A Set makes itself anew when so many have gone, and V8 lets
 * what it was before point to what it is now: once one of these is old and dead it keeps the next, with all requests that were in
 * it, and so on. After 40 seconds at 9,600 requests a second half of what requests leave became old so; of an array nothing does.
 */
export class Bag<T extends Bagged> {
  readonly #members: T[] = [];

  get size(): number {
    return this.#members.length;
  }

  /** Idempotent. */
  add(member: T): void {
    if (member.bagIndex === NOWHERE) member.bagIndex = this.#members.push(member) - 1;
  }

  /** Answers whether it was there. */
  delete(member: T): boolean {
    const { bagIndex: index } = member;
    if (index === NOWHERE) return false;
    const last = this.#members.pop() as T;
    if (last !== member) {
      this.#members[index] = last;
      last.bagIndex = index;
    }
    member.bagIndex = NOWHERE;
    return true;
  }

  /** From the last to the first, so that whoever is met may be taken away. */
  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#members.length - 1; index >= 0; index -= 1) {
      const member = this.#members[index];
      if (member !== undefined) yield member;
    }
  }
}
