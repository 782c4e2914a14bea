import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { readCookie, setCookie } from "../consistency/cookies.ts";
import type { Signer } from "../consistency/signer.ts";
import { type AffinityOutcome, affinityAfter } from "../routing/affinity.ts";
import type { Facts, Routed } from "../routing/decide.ts";
import type { Sessions } from "./sessions.ts";

const PURPOSE = "affinity";

/** It slides, but not on every answer: once a tenth of its life has passed. */
const RENEW_AFTER = 0.1;

/** Where a session lives, as its cookie says. */
export interface Home {
  readonly region: string;
  /** Names the session while its cookie lives, wherever it moves; says nothing about the user. */
  readonly session: string;
  /** Whether the cookie is old enough to be written again. */
  readonly renew: boolean;
}

/** The signed cookie that keeps a session in its region. A forged, foreign or expired one is no cookie at all. */
export class AffinityCookies {
  readonly #name: string;
  readonly #ttlMs: number;
  readonly enabled: boolean;
  readonly #signer: Signer;
  readonly #clock: Clock;

  constructor({ affinity }: Config, { signer, clock }: { readonly signer: Signer; readonly clock: Clock }) {
    this.#name = affinity.cookie;
    this.#ttlMs = affinity.ttl;
    this.enabled = affinity.enabled;
    this.#signer = signer;
    this.#clock = clock;
  }

  read(cookieHeader: string | undefined): Home | null {
    if (!this.enabled) return null;
    const text = readCookie(cookieHeader, this.#name);
    const payload = text === null ? null : this.#signer.verify(PURPOSE, text);
    if (payload === null) return null;
    const [region = "", seconds = "", session = ""] = payload.split("|");
    const ageMs = this.#clock.wall() - Number(seconds) * 1_000;
    return ageMs < this.#ttlMs ? { region, session, renew: ageMs > this.#ttlMs * RENEW_AFTER } : null;
  }

  /** The `Set-Cookie` line that makes a region a session's home; the session keeps its name when it moves. */
  write(region: string, session: string, secure: boolean): string {
    const payload = [region, Math.round(this.#clock.wall() / 1_000), session].join("|");
    const maxAgeSeconds = Math.ceil(this.#ttlMs / 1_000);
    return setCookie(this.#name, this.#signer.sign(PURPOSE, payload), { maxAgeSeconds, secure });
  }
}

function newSession(): string {
  return randomBytes(9).toString("base64url");
}

/** What a decision makes of a session: the word for it, and the `Set-Cookie` line it needs, if any. */
export interface AffinityChange {
  readonly result: AffinityOutcome["result"];
  readonly cookie: string | null;
}

/** Settles where a session lives after this decision, and remembers having seen it there. */
export function settleAffinity(
  { facts, home }: { readonly facts: Facts; readonly home: Home | null },
  decision: Routed,
  secure: boolean,
  { cookies, sessions }: { readonly cookies: AffinityCookies; readonly sessions: Sessions },
): AffinityChange {
  if (!cookies.enabled) return { result: "none", cookie: null };
  const outcome = affinityAfter(facts, decision);
  if (outcome.home === null) return { result: outcome.result, cookie: null };
  const session = home?.session ?? newSession();
  sessions.saw(session, outcome.home);
  const stays = outcome.result === "hit" && home?.renew !== true;
  return { result: outcome.result, cookie: stays ? null : cookies.write(outcome.home, session, secure) };
}
