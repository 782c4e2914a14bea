import type { Config } from "../../src/config/schema.ts";
import type { Recorded } from "../../src/consistency/layers.ts";
import {
  type OpenPin,
  type PinState,
  Pins,
  type PinsParts,
  type ReadHints,
} from "../../src/consistency/pins.ts";
import type { Pid, PinStore } from "../../src/consistency/store.ts";

type MakePins = (config: Config, parts: PinsParts) => Pins;

/** Pins as others build them, each with the mistake that its name says. */
const PINS: Readonly<Record<string, MakePins>> = {
  "as-built": (config, parts) => new Pins(config, parts),
  "set-at-start": (config, parts) => new SetOnce(config, parts, "start"),
  "set-after-not-awaited": (config, parts) => new SetOnce(config, parts, "end"),
  "set-after-awaited": (config, parts) => new SetOnce(config, parts, "head"),
  "negative-cache": (config, parts) => new NegativeCache(config, parts, "head"),
  "early-release": (config, parts) => new EarlyRelease(config, parts),
  "writes-in-flight-ignored": (config, parts) => new FlightIgnored(config, parts),
  "no-quarantine": (config, parts) => new Pins(config, { ...parts, store: trusting(parts.store) }),
};

/** Throws on a name that there is not. */
export function pinsOf(name: string): MakePins {
  const make = PINS[name];
  if (make === undefined) throw new Error(`no pins named ${name}`);
  return make;
}

let writes = 0;
const newWriteId = () => `${process.pid}.${++writes}`;

/** One SET with the window, at one moment of the write, and nothing in this process. */
class SetOnce extends Pins {
  readonly #when: "start" | "head" | "end";
  readonly #windowMs: number;
  readonly #store: PinStore | null;

  constructor(config: Config, parts: PinsParts, when: "start" | "head" | "end") {
    super(config, parts);
    this.#when = when;
    this.#windowMs = config.consistency.graceWindow;
    this.#store = parts.store;
  }

  override open(pids: readonly Pid[]): OpenPin {
    const set = () => this.#set(pids);
    const when = this.#when;
    const started = when === "start" ? set() : Promise.resolve<Recorded>("recorded");
    return {
      /** Asked for when the head has come. */
      get acknowledged() {
        return when === "head" ? set() : started;
      },
      add: () => Promise.resolve("recorded"),
      settle: (outcome) => {
        if (when === "end" && outcome === "committed") void set();
      },
    };
  }

  async #set(pids: readonly Pid[]): Promise<Recorded> {
    const done = this.#store?.begin(pids, newWriteId(), this.#windowMs);
    return (done ?? Promise.resolve()).then(
      () => "recorded",
      () => "unrecorded",
    );
  }
}

const FREE_FOR_MS = 1_000;

/** Remembers for a second that a user is not pinned. */
class NegativeCache extends SetOnce {
  readonly #freeUntilMs = new Map<Pid, number>();

  override async read(pids: readonly Pid[], hints: ReadHints): Promise<PinState> {
    const now = performance.now();
    const isFree = !hints.known && pids.every((pid) => (this.#freeUntilMs.get(pid) ?? 0) > now);
    if (isFree) return { pin: "free", hold: null };
    const state = await super.read(pids, hints);
    if (state.pin === "free") for (const pid of pids) this.#freeUntilMs.set(pid, now + FREE_FOR_MS);
    return state;
  }
}

/** About when the faster of the two replicas has the write. */
const FIRST_REPLICA_HAS_IT_MS = 350;

/** Lets a user go as soon as one replica has the write, with a DEL that asks for nothing. */
class EarlyRelease extends Pins {
  override open(pids: readonly Pid[]): OpenPin {
    const pin = super.open(pids);
    const release = () => {
      for (const pid of pids) void this.release(pid).catch(() => undefined);
    };
    return {
      acknowledged: pin.acknowledged,
      add: (more) => pin.add(more),
      settle: (outcome, end) => {
        pin.settle(outcome, end);
        if (outcome === "committed") setTimeout(release, FIRST_REPLICA_HAS_IT_MS);
      },
    };
  }
}

/** Lets a user go where the positions that are known allow it, whatever is still under way or was never answered. */
class FlightIgnored extends Pins {
  override async read(pids: readonly Pid[], hints: ReadHints): Promise<PinState> {
    const state = await super.read(pids, hints);
    return { ...state, hold: state.hold && { ...state.hold, open: false } };
  }
}

/** The store without its news of having been away: nothing is told again, nothing is doubted. */
function trusting(store: PinStore | null): PinStore | null {
  if (store === null) return null;
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = name === "onReturn" ? undefined : Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
