import dns from "node:dns";
import type { LookupFunction } from "node:net";
import { type Clock, systemClock } from "../clock.ts";
import type { EdgeEvents } from "../events.ts";

/** How long a resolver may take over a name that it has resolved before. */
const PATIENCE_MS = 500;

/** A name in use is asked for again when its last answer is older. */
const REFRESH_MS = 1_000;

/** An address that answers have left out for so long is no more; a name with many often answers with some of them. */
const GONE_MS = 5_000;

type Callback = Parameters<LookupFunction>[2];
type Answer = Parameters<Callback>;

/** A question that the resolver has, and who waits for its answer. */
interface Question {
  readonly sinceMs: number;
  readonly waiting: Set<Callback>;
}

/** The last good answer had to serve. */
export type NameFailure = EdgeEvents["nameFailed"];

interface Addresses {
  /** When each was last in an answer; those that are gone are forgotten. */
  readonly seenMs: Map<string, number>;
  askedMs: number;
}

/**
 * Remembers what names have been resolved to. Every new connection asks the resolver, so a changed address is followed;
 * but when the resolver fails or dawdles the last good answer serves, because a region does not become unreachable with
 * its name server. Nobody asks while the same question is open: getaddrinfo has few threads, and may block each for long.
 */
export class Names {
  readonly #resolve: LookupFunction;
  readonly #clock: Clock;
  readonly #answers = new Map<string, Answer>();
  readonly #questions = new Map<string, Question>();
  readonly #addresses = new Map<string, Addresses>();
  readonly #listeners = new Set<(failure: NameFailure) => void>();

  constructor(resolve: LookupFunction, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** As `dns.lookup`. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const key = `${hostname} ${options.family ?? ""} ${options.all ?? ""}`;
    const open = this.#questions.get(key);
    const question: Question = open ?? { sinceMs: this.#clock.now(), waiting: new Set() };
    question.waiting.add(callback);
    const remembered = this.#answers.get(key);
    if (remembered !== undefined) this.#waitBriefly(hostname, question, callback, remembered);
    if (open !== undefined) return;
    this.#questions.set(key, question);
    this.#resolve(hostname, options, (...answer) => {
      this.#questions.delete(key);
      if (isGood(answer)) this.#remember(key, hostname, answer);
      const said = isGood(answer) ? answer : (this.#answers.get(key) ?? answer);
      if (said !== answer) this.#tell(hostname, answer[0]?.message ?? "no address");
      const waiting = [...question.waiting];
      question.waiting.clear();
      for (const tell of waiting) tell(...said);
    });
  };

  /**
   * Whether a connection to this address of the name should be used no more: the resolver has stopped to name it. Asks it
   * again meanwhile if it has not been asked lately; while it does not answer nothing is gone.
   */
  hasLeft(hostname: string, address: string): boolean {
    const known = this.#addresses.get(hostname);
    if (known === undefined) return false;
    const nowMs = this.#clock.now();
    if (nowMs - known.askedMs > REFRESH_MS) {
      known.askedMs = nowMs;
      this.lookup(hostname, { all: true }, () => {});
    }
    return !known.seenMs.has(address);
  }

  /** Calls the listener until what it returns is called. */
  onFailure(listener: (failure: NameFailure) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(hostname: string, cause: string): void {
    for (const listener of this.#listeners) listener({ hostname, cause });
  }

  #waitBriefly(hostname: string, question: Question, callback: Callback, remembered: Answer): void {
    const leftMs = PATIENCE_MS - (this.#clock.now() - question.sinceMs);
    const giveUp = (): void => {
      if (!question.waiting.delete(callback)) return;
      this.#tell(hostname, `no answer within ${PATIENCE_MS} ms`);
      callback(...remembered);
    };
    if (leftMs > 0) setTimeout(giveUp, leftMs).unref();
    else process.nextTick(giveUp);
  }

  #remember(key: string, hostname: string, answer: Answer): void {
    this.#answers.set(key, answer);
    const nowMs = this.#clock.now();
    const known = this.#addresses.get(hostname) ?? { seenMs: new Map(), askedMs: nowMs };
    this.#addresses.set(hostname, known);
    for (const address of addressesOf(answer)) known.seenMs.set(address, nowMs);
    for (const [address, seenMs] of known.seenMs) {
      if (nowMs - seenMs >= GONE_MS) known.seenMs.delete(address);
    }
  }
}

function isGood(answer: Answer): boolean {
  return answer[0] === null && addressesOf(answer).length > 0;
}

function addressesOf([, found]: Answer): readonly string[] {
  return typeof found === "string" ? [found] : found.map(({ address }) => address);
}

/** The memory of this process: the names of all endpoints. */
export const names = new Names((...asked) => dns.lookup(...asked), systemClock);
