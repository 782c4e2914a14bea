import type { Clock } from "../clock.ts";
import { rulesOf } from "../config/rules.ts";
import type { Config } from "../config/schema.ts";
import { Identities } from "../consistency/identities.ts";
import { Signer } from "../consistency/signer.ts";
import { PinTokens } from "../consistency/token.ts";
import type { Rules } from "../routing/rules.ts";
import { AffinityCookies } from "./affinity-cookie.ts";
import { noWriteMatcher } from "./evidence.ts";
import { TrustedProxies } from "./trust.ts";

/** A configuration made ready for the hot path. Built once per reload and never changed; a request keeps the one it began with. */
export interface Settings {
  readonly config: Config;
  readonly rules: Rules;
  readonly edgeId: string;
  /** How this edge calls itself in `Via` (RFC 9110 §7.6.3). */
  readonly pseudonym: string;
  readonly trusted: TrustedProxies;
  readonly identities: Identities;
  readonly tokens: PinTokens;
  readonly affinity: AffinityCookies;
  /** Whether an answer of this status says that the application wrote nothing. */
  readonly noWrite: (status: number) => boolean;
}

/** @param generatedSecret what signs where the configuration gives no secrets */
export function prepareSettings(
  config: Config,
  edgeId: string,
  { clock, generatedSecret }: { readonly clock: Clock; readonly generatedSecret: string },
): Settings {
  const secrets = config.secrets.length > 0 ? config.secrets : [generatedSecret];
  const signer = new Signer(secrets);
  return {
    config,
    rules: rulesOf(config),
    edgeId,
    pseudonym: `meridian-${edgeId.replace(/[^A-Za-z0-9._-]/g, "-")}`,
    trusted: new TrustedProxies(config.listen.trustedProxies),
    identities: new Identities(config.consistency.identity, secrets),
    tokens: new PinTokens(config, { signer, clock }),
    affinity: new AffinityCookies(config, { signer, clock }),
    noWrite: noWriteMatcher(config.consistency.noWriteStatus),
  };
}
