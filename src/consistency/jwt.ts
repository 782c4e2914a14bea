import { compactVerify, decodeJwt, decodeProtectedHeader, type JWK } from "jose";
import type { VerifyingKey } from "../config/keys.ts";

/** What a token says of its user. */
export type Claims = Readonly<Record<string, unknown>>;

/** Far above what issuers make, so that garbage costs little. */
const MOST_CHARACTERS = 16_384;
/** Three parts in base64url; the signature may be empty. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** The token in a header or a cookie, without the `Bearer` before it; null when there stands none. */
export function tokenIn(text: string | null): string | null {
  if (text === null || text.length > MOST_CHARACTERS) return null;
  const token = text.replace(/^bearer +/i, "");
  return COMPACT.test(token) ? token : null;
}

/** What a token says, whoever signed it; null when it is no JWT. */
export function unverifiedClaims(token: string): Claims | null {
  try {
    return decodeJwt(token);
  } catch {
    return null;
  }
}

/** The keys that may have signed a token, by its header: none of another type, none of another name. */
export function fittingKeys(token: string, keys: readonly VerifyingKey[]): readonly VerifyingKey[] {
  const header = headerOf(token);
  return keys.filter(
    ({ kid, algorithms }) =>
      algorithms.includes(header.alg ?? "") &&
      (kid === null || header.kid === undefined || kid === header.kid),
  );
}

/**
 * What a token says when one of the keys has signed it; else null. Only the signature counts: a token that has
 * expired names the same user, and whether it still lets anybody in is the application's affair. Never rejects.
 */
export async function verifiedClaims(token: string, keys: readonly VerifyingKey[]): Promise<Claims | null> {
  for (const { jwk, algorithms } of keys) {
    try {
      await compactVerify(token, jwk as JWK, { algorithms: [...algorithms] });
      return unverifiedClaims(token);
    } catch {
      // Not by this key; another may fit.
    }
  }
  return null;
}

/** The claim of that name, else what a path with dots leads to: a text, or a number; null when it is neither. */
export function claimIn(claims: Claims | null, name: string): string | null {
  if (claims === null) return null;
  const value = Object.hasOwn(claims, name)
    ? claims[name]
    : name.split(".").reduce(inside, claims as unknown);
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text !== "" ? text : null;
}

function inside(value: unknown, key: string): unknown {
  const record = typeof value === "object" && value !== null ? (value as Claims) : {};
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function headerOf(token: string): { readonly alg?: string | undefined; readonly kid?: unknown } {
  try {
    return decodeProtectedHeader(token);
  } catch {
    return {};
  }
}
