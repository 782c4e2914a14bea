import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { BY_WRITER, type Hold, newestOfEach } from "../routing/hold.ts";
import type { Position } from "../routing/position.ts";
import { Recent } from "./recent.ts";
import type { Signer } from "./signer.ts";
import { EPOCHS_KEPT, fixedWidth, readPositions } from "./store.ts";

/** The cookie in which a browser carries its token. */
export const PIN_COOKIE = "meridian_pin";
/** The header in which an API client may carry it. */
export const TOKEN_HEADER = "x-meridian-token";

/** By how much the wall clocks of two edges may differ where the token is all there is. */
export const CLOCK_SKEW_MS = 5_000;

const PURPOSE = "pin";
const VERSION = "1";
/** A client's writes in more regions than this are not told apart. */
const MAX_REGIONS = 4;

/** What a client's token says. */
export interface PinToken {
  /** How long this client's reads stay with the writer; 0 when the token has expired. */
  readonly remainingMs: number;
  /** The write epoch it was issued in. */
  readonly epoch: number;
  /** What holds this client, as the edge that wrote the token knew it. */
  readonly hold: Hold;
}

/** What a token says, whenever it is read. */
interface Issued {
  readonly issuedMs: number;
  readonly deadlineMs: number;
  readonly epoch: number;
  readonly hold: Hold;
}

/**
 * The signed pin that a client carries itself: it holds without Redis and on any edge, for this client only.
 * The only place where wall clocks of different hosts meet, so what it says is bounded: never longer than it
 * was issued for, never longer than `maxPin`, whatever the clocks.
 */
export class PinTokens {
  readonly #signer: Signer;
  readonly #clock: Clock;
  readonly #maxPinMs: number;
  readonly #skewMs: number;
  /** By the token's text, which is as good as its signature once that has been verified. */
  readonly #verified = new Recent<Issued>();

  constructor(config: Config, { signer, clock }: { readonly signer: Signer; readonly clock: Clock }) {
    this.#signer = signer;
    this.#clock = clock;
    this.#maxPinMs = config.consistency.maxPin;
    this.#skewMs = skewMs(config);
  }

  /** A token that pins its bearer for `durationMs` from now. */
  issue(durationMs: number, epoch: number, hold: Hold = BY_WRITER): string {
    const issuedMs = Math.round(this.#clock.wall());
    const deadlineMs = issuedMs + Math.round(Math.min(durationMs, this.#maxPinMs));
    const positions = hold.open
      ? ""
      : newestOfEach(hold.positions).slice(-EPOCHS_KEPT).map(fixedWidth).join(",");
    const regions = hold.regions.slice(0, MAX_REGIONS).join(",");
    const payload = [[VERSION, issuedMs, deadlineMs, epoch].join(":"), positions, regions].join("|");
    return this.#signer.sign(PURPOSE, payload);
  }

  /** Null when it is no token of ours. A forged or unreadable token is no pin, and no error. */
  read(text: string): PinToken | null {
    const issued = this.#verified.get(text) ?? this.#verify(text);
    if (issued === null) return null;
    const { issuedMs, deadlineMs, epoch, hold } = issued;
    return { remainingMs: this.#remainingMs(issuedMs, deadlineMs), epoch, hold };
  }

  #verify(text: string): Issued | null {
    const payload = this.#signer.verify(PURPOSE, text);
    if (payload === null) return null;
    const [times = "", positions = "", regions = ""] = payload.split("|");
    const [version, ...numbers] = times.split(":");
    const [issuedMs, deadlineMs, epoch] = numbers.map(Number);
    if (version !== VERSION || issuedMs === undefined || deadlineMs === undefined || epoch === undefined)
      return null;
    if (!numbers.every((number) => Number.isSafeInteger(Number(number)))) return null;
    const issued = { issuedMs, deadlineMs, epoch, hold: heldTo(readPositions(positions), regions) };
    this.#verified.set(text, issued);
    return issued;
  }

  #remainingMs(issuedMs: number, deadlineMs: number): number {
    const lifetimeMs = Math.min(deadlineMs - issuedMs, this.#maxPinMs) + this.#skewMs;
    const leftMs = issuedMs + lifetimeMs - this.#clock.wall();
    return Math.max(0, Math.min(leftMs, lifetimeMs));
  }
}

function heldTo(positions: readonly Position[], regions: string): Hold {
  return { positions, open: positions.length === 0, regions: regions === "" ? [] : regions.split(",") };
}

/** In the other modes the store, whose clock is one, knows better than a token that has just expired. */
function skewMs({ consistency }: Config): number {
  return consistency.mode === "cookie" ? CLOCK_SKEW_MS : 0;
}
