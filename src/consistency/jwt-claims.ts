import { hash } from "node:crypto";
import type { VerifyingKey } from "../config/keys.ts";
import type { JwtConfig } from "../config/schema-identity.ts";
import { claimIn, fittingKeys, unverifiedClaims, verifiedClaims } from "./jwt.ts";

/** Tokens whose verdict is kept; each takes some hundred bytes. */
const MOST_VERDICTS = 4_096;

/** Who the user of a token is. */
export interface ClaimReader {
  /** The claim; null when the token has none, or is not to be believed. Asks nobody: {@link prepare} has. */
  read(token: string): string | null;
  /** What to wait for before {@link read} knows this token; null when it does already. Never rejects. */
  prepare(token: string): Promise<void> | null;
}

/** Verifies tokens when there are keys to, and believes them when there are none. */
export function claimReader({ claim, jwksFile, keyFile }: JwtConfig): ClaimReader {
  const given = jwksFile ?? keyFile;
  if (given === undefined) {
    return { read: (token) => claimIn(unverifiedClaims(token), claim), prepare: () => null };
  }
  if (given.keys === null) throw new RangeError(`the keys in ${given.file} have not been read`);
  return new VerifiedClaims(claim, given.keys);
}

/**
 * Remembers what came of a token's first sight, under its hash, so that its signature is checked once and not with
 * each request. The least recently used are forgotten. Refused tokens are remembered too: garbage costs no more.
 */
export class VerifiedClaims implements ClaimReader {
  readonly #claim: string;
  readonly #keys: readonly VerifyingKey[];
  readonly #verdicts = new Map<string, string | null>();
  readonly #pending = new Map<string, Promise<void>>();

  constructor(claim: string, keys: readonly VerifyingKey[]) {
    this.#claim = claim;
    this.#keys = keys;
  }

  read(token: string): string | null {
    const name = nameOf(token);
    const verdict = this.#verdicts.get(name);
    if (verdict === undefined) return null;
    // A map keeps the order in which entries came, so what was used last goes to its end.
    this.#verdicts.delete(name);
    this.#verdicts.set(name, verdict);
    return verdict;
  }

  prepare(token: string): Promise<void> | null {
    const name = nameOf(token);
    if (this.#verdicts.has(name)) return null;
    const pending = this.#pending.get(name);
    if (pending !== undefined) return pending;
    const keys = fittingKeys(token, this.#keys);
    if (keys.length === 0) return null;
    const verifying = verifiedClaims(token, keys).then((claims) => {
      this.#pending.delete(name);
      this.#remember(name, claimIn(claims, this.#claim));
    });
    this.#pending.set(name, verifying);
    return verifying;
  }

  #remember(name: string, verdict: string | null): void {
    this.#verdicts.set(name, verdict);
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size > MOST_VERDICTS && oldest !== undefined) this.#verdicts.delete(oldest);
  }
}

/** A token is as good as a password, so none is kept. */
function nameOf(token: string): string {
  return hash("sha256", token, "base64url");
}
