import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { readCookie, setCookie } from "../consistency/cookies.ts";
import { Recent } from "../consistency/recent.ts";
import type { Signer } from "../consistency/signer.ts";
import { affinityAfter } from "../routing/affinity.ts";
import type { Routed } from "../routing/decision.ts";
import type { Exchange } from "./exchange.ts";
import type { Sessions } from "./sessions.ts";

const PURPOSE = "affinity";
/** In a cookie that was written when its session came from another region. */
const MOVED = "moved";

/** It slides, but not on every answer: once a tenth of its life has passed. */
const RENEW_AFTER = 0.1;

/** Where a session lives, as its cookie says. */
export interface Home {
  readonly region: string;
  /** Names the session while its cookie lives, wherever it moves; says nothing about the user. */
  readonly session: string;
  /** Whether the cookie is old enough to be written again. */
  readonly renew: boolean;
  /** How long ago the session came there from another region, in milliseconds; null when it did not, or long ago. */
  readonly movedMs: number | null;
}

/** What a cookie says, whenever it is read. */
interface Written {
  readonly region: string;
  readonly session: string;
  readonly atWallMs: number;
  readonly moved: boolean;
}

/** The signed cookie that keeps a session in its region. A forged, foreign or expired one is no cookie at all. */
export class AffinityCookies {
  readonly #name: string;
  readonly #ttlMs: number;
  readonly enabled: boolean;
  readonly #signer: Signer;
  readonly #clock: Clock;
  /** By the cookie's text, which is as good as its signature once that has been verified. */
  readonly #verified = new Recent<Written>();

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
    const written = text === null ? null : (this.#verified.get(text) ?? this.#verify(text));
    if (written === null) return null;
    const { region, session, moved } = written;
    const ageMs = this.#clock.wall() - written.atWallMs;
    if (ageMs >= this.#ttlMs) return null;
    const movedMs = moved ? Math.max(0, ageMs) : null;
    // One from the future was written by another clock, or before this one was set back.
    return { region, session, renew: Math.abs(ageMs) > this.#ttlMs * RENEW_AFTER, movedMs };
  }

  #verify(text: string): Written | null {
    const payload = this.#signer.verify(PURPOSE, text);
    if (payload === null) return null;
    const [region = "", seconds = "", session = "", moved] = payload.split("|");
    const written = { region, session, atWallMs: Number(seconds) * 1_000, moved: moved === MOVED };
    this.#verified.set(text, written);
    return written;
  }

  /** The `Set-Cookie` line that makes a region a session's home; the session keeps its name when it moves. */
  write(region: string, session: string, secure: boolean, moved = false): string {
    const parts = [region, Math.ceil(this.#clock.wall() / 1_000), session];
    const payload = (moved ? [...parts, MOVED] : parts).join("|");
    const maxAgeSeconds = Math.ceil(this.#ttlMs / 1_000);
    return setCookie(this.#name, this.#signer.sign(PURPOSE, payload), { maxAgeSeconds, secure });
  }
}

function newSession(): string {
  return randomBytes(9).toString("base64url");
}

/** Settles where a session lives after this decision, and returns the `Set-Cookie` line that it needs, if any. */
export function settleAffinity(exchange: Exchange, decision: Routed, sessions: Sessions): string | null {
  const { settings, reading, secure } = exchange;
  if (!settings.affinity.enabled) return null;
  const { result, home } = affinityAfter(reading.facts, decision);
  exchange.affinity = result;
  if (home === null) return null;
  const session = reading.home?.session ?? newSession();
  // Only a session that came back is one: a client without a cookie jar would be a new one with each request.
  if (reading.home !== null) sessions.saw(session, home);
  const stays = result === "hit" && reading.home?.renew !== true;
  return stays ? null : settings.affinity.write(home, session, secure, result === "moved");
}
