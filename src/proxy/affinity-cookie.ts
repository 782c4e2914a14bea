import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { readCookie, setCookie } from "../consistency/cookies.ts";
import type { Signer } from "../consistency/signer.ts";

const PURPOSE = "affinity";

/** It slides, but not on every answer: once a tenth of its life has passed. */
const RENEW_AFTER = 0.1;

/** Where a session lives, as its cookie says. */
export interface Home {
  readonly region: string;
  /** Whether the cookie is old enough to be written again. */
  readonly renew: boolean;
}

/** The signed cookie that keeps a session in its region. A forged, foreign or expired one is no cookie at all. */
export class AffinityCookies {
  readonly #name: string;
  readonly #ttlMs: number;
  readonly #enabled: boolean;
  readonly #signer: Signer;
  readonly #clock: Clock;

  constructor({ affinity }: Config, { signer, clock }: { readonly signer: Signer; readonly clock: Clock }) {
    this.#name = affinity.cookie;
    this.#ttlMs = affinity.ttl;
    this.#enabled = affinity.enabled;
    this.#signer = signer;
    this.#clock = clock;
  }

  read(cookieHeader: string | undefined): Home | null {
    if (!this.#enabled) return null;
    const text = readCookie(cookieHeader, this.#name);
    const payload = text === null ? null : this.#signer.verify(PURPOSE, text);
    if (payload === null) return null;
    const [region = "", seconds = ""] = payload.split("|");
    const ageMs = this.#clock.wall() - Number(seconds) * 1_000;
    return ageMs < this.#ttlMs ? { region, renew: ageMs > this.#ttlMs * RENEW_AFTER } : null;
  }

  /** The `Set-Cookie` line that makes a region a session's home; null when affinity is off. */
  write(region: string, secure: boolean): string | null {
    if (!this.#enabled) return null;
    const payload = `${region}|${Math.round(this.#clock.wall() / 1_000)}`;
    const maxAgeSeconds = Math.ceil(this.#ttlMs / 1_000);
    return setCookie(this.#name, this.#signer.sign(PURPOSE, payload), { maxAgeSeconds, secure });
  }
}
