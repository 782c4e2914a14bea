import type { IncomingHttpHeaders } from "node:http";
import { readCookie } from "../consistency/cookies.ts";
import type { Pids } from "../consistency/identities.ts";
import { PIN_COOKIE, type PinToken, TOKEN_HEADER } from "../consistency/token.ts";
import type { Facts } from "../routing/decision.ts";
import { intentOf } from "../routing/intent.ts";
import { jurisdictionsFor } from "../routing/residency.ts";
import type { Home } from "./affinity-cookie.ts";
import { single } from "./headers.ts";
import type { Settings } from "./settings.ts";

/** What a request says about itself and its user, read once. */
export interface Reading {
  readonly facts: Facts;
  readonly home: Home | null;
  readonly pids: Pids;
  /** The client's own token; null without a live one. */
  readonly token: PinToken | null;
  /** Whether it brought one of ours that is over, by this edge's clock. */
  readonly hasOldToken: boolean;
  /** Whether the client is a browser that brings our cookies back, so that a missing token means no recent write. */
  readonly carriesCookie: boolean;
}

/** @param chance uniform in [0, 1) */
export function readRequest(
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
  settings: Settings,
  chance: number,
): Reading {
  const { rules, identities, affinity, tokens } = settings;
  const cookies = single(headers.cookie);
  const home = affinity.read(cookies);
  const pids = identities.identitiesOf(headers);
  const token = readCookie(cookies, PIN_COOKIE) ?? single(headers[TOKEN_HEADER]);
  const pin = token === undefined ? null : tokens.read(token);
  return {
    facts: {
      intent: intentOf(method, path, rules.paths),
      jurisdictions: jurisdictionsFor(rules.residency, (name) => single(headers[name])),
      affinity: home?.region ?? null,
      movedMs: home?.movedMs ?? null,
      identified: pids.read.length > 0,
      chance,
    },
    home,
    pids,
    token: pin !== null && pin.remainingMs > 0 ? pin : null,
    hasOldToken: pin !== null && pin.remainingMs === 0,
    carriesCookie: home !== null || pin !== null,
  };
}
