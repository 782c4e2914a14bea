import type { Pid, PinStore } from "./store.ts";

/** So many users are asked for in one command: a fraction of a command time-out's work for Redis. */
const ASKED_AT_MOST = 500;

interface Asker {
  readonly pids: readonly Pid[];
  readonly resolve: (remainingMs: number) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * What all requests of one turn of the event loop ask the store, asked as one question at its end. A question is never
 * sent before it was asked, so the answer is as true as one of its own; a command for each took a third of the edge's time.
 */
export class LookUps {
  readonly #ask: NonNullable<PinStore["remainingOfEach"]>;
  #askers: Asker[] = [];

  constructor(ask: NonNullable<PinStore["remainingOfEach"]>) {
    this.#ask = ask;
  }

  /** As `PinStore.remaining`. */
  remaining(pids: readonly Pid[]): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#askers.push({ pids, resolve, reject }) === 1) setImmediate(this.#send);
    });
  }

  readonly #send = (): void => {
    const askers = this.#askers;
    this.#askers = [];
    for (let at = 0; at < askers.length; at += ASKED_AT_MOST)
      void this.#sendSome(askers.length <= ASKED_AT_MOST ? askers : askers.slice(at, at + ASKED_AT_MOST));
  };

  async #sendSome(askers: readonly Asker[]): Promise<void> {
    try {
      const answers = await this.#ask(askers.flatMap(({ pids }) => pids));
      let next = 0;
      for (const { pids, resolve, reject } of askers) {
        const answer = together(answers, next, pids.length);
        next += pids.length;
        if (typeof answer === "number") resolve(answer);
        else reject(answer);
      }
    } catch (error) {
      for (const { reject } of askers) reject(error);
    }
  }
}

/** Of one user's names: a pin that is known of is one, whatever could not be asked; "none" takes all of them. */
export function together(answers: readonly (number | Error)[], from: number, count: number): number | Error {
  let last = 0;
  let failure: Error | null = null;
  for (let at = from; at < from + count; at += 1) {
    const answer = answers[at] ?? new TypeError("the store has left a question out");
    if (typeof answer === "number") last = Math.max(last, answer);
    else failure ??= answer;
  }
  return last > 0 || failure === null ? last : failure;
}
