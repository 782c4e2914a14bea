import type { FastifyRequest } from "fastify";
import type { Clock } from "../clock.ts";
import type { AccessFault, EventBus } from "../events.ts";
import { callerAddress } from "./address.ts";
import { Allowance } from "./allowance.ts";
import { audit, callerName, textIn } from "./audit.ts";
import type { Refusal, RefusalWord } from "./problems.ts";

const ACCESS_FAULTS: ReadonlySet<RefusalWord> = new Set<AccessFault>([
  "unauthenticated",
  "forbidden",
  "foreign_origin",
  "locked_out",
]);

/** All whom nobody knows share one allowance, or whoever has many addresses would have as many. */
const STRANGERS = { atOnce: 20, perSecond: 1 };
const KNOWN = { atOnce: 200, perSecond: 10 };
const MOST_DETAIL = 300;

/** Remembers what was refused: all of it in the count, and in the log and the audit as much as nobody can flood them with. */
export class Refusals {
  readonly #events: EventBus;
  readonly #strangers: Allowance;
  /** Each by its name. */
  readonly #known: Allowance;

  constructor(events: EventBus, clock: Clock) {
    this.#events = events;
    this.#strangers = new Allowance(clock, STRANGERS);
    this.#known = new Allowance(clock, KNOWN);
    events.on("lockedOut", ({ address, wrongTokens }) => this.#auditLockout(address, wrongTokens));
  }

  note(refusal: Refusal, request: FastifyRequest): void {
    const { word, message } = refusal;
    if (isAccessFault(word)) this.#events.emit("adminRefused", { fault: word });
    const suppressed = this.#mayTell(request);
    if (suppressed === null) return;
    const held = suppressed === 0 ? {} : { suppressed };
    const detail = message.slice(0, MOST_DETAIL);
    request.log.info({ fault: word, detail, method: request.method, ...held }, "admin call refused");
    // A lock-out has its own line, and what is tried meanwhile says nothing new.
    if (word !== "locked_out") this.#auditChange(word, request, held);
  }

  /** Tries at changes do not share with looks, or whoever asks a lot could hide what he tried. */
  #mayTell({ caller, routeOptions }: FastifyRequest): number | null {
    const what = routeOptions.config?.change === undefined ? "look" : "change";
    return caller ? this.#known.take(`${what} ${caller.name}`) : this.#strangers.take(what);
  }

  /** The line for a change that was refused before or while it was made; nothing came of it. */
  #auditChange(fault: RefusalWord, request: FastifyRequest, held: { readonly suppressed?: number }): void {
    const what = request.routeOptions.config?.change;
    if (what === undefined) return;
    const target = textIn(request.params, "id") ?? textIn(request.body, "region");
    const why = textIn(request.body, "reason");
    const from = callerAddress(request.ip);
    const nothing = { before: null, after: null, result: "refused" } as const;
    audit(this.#events, { who: callerName(request), what, target, ...nothing, why, fault, from, ...held });
  }

  #auditLockout(address: string, wrongTokens: number): void {
    const suppressed = this.#strangers.take("lock-out");
    if (suppressed === null) return;
    audit(this.#events, {
      who: "unknown",
      what: "authenticate",
      target: null,
      before: null,
      after: null,
      why: `${wrongTokens} wrong tokens within a minute`,
      result: "refused",
      fault: "locked_out",
      from: address,
      ...(suppressed === 0 ? {} : { suppressed }),
    });
  }
}

function isAccessFault(word: RefusalWord): word is AccessFault & RefusalWord {
  return ACCESS_FAULTS.has(word);
}
