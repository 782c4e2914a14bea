import { createPublicKey, type KeyObject, type webcrypto } from "node:crypto";

type JsonWebKey = webcrypto.JsonWebKey;

/** A key that signatures of tokens are checked with, and all that it may be used for. */
export interface VerifyingKey {
  /** Its name in the JWKS; null when it has none, and then it fits every name. */
  readonly kid: string | null;
  /**
   * The values of a token's `alg` that go with this type of key. A token never chooses beyond them: that would let a
   * stranger sign with HMAC and the public key as its secret, or not at all.
   */
  readonly algorithms: readonly string[];
  /** Only what verifies. */
  readonly jwk: JsonWebKey;
}

/** Keys, or why there are none. */
export type KeysRead =
  | { readonly ok: true; readonly keys: readonly VerifyingKey[] }
  | { readonly ok: false; readonly message: string; readonly hint: string };

const RSA = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const HMAC = ["HS256", "HS384", "HS512"];
const BY_CURVE: Readonly<Record<string, readonly string[]>> = {
  "P-256": ["ES256"],
  "P-384": ["ES384"],
  "P-521": ["ES512"],
  Ed25519: ["EdDSA", "Ed25519"],
};
/** RFC 7518 §3.3: a shorter one must not be used. */
const LEAST_RSA_BITS = 2_048;
const USABLE = "expected RSA of 2048 bits or more, EC on P-256, P-384 or P-521, or Ed25519";

/** Reads one public key or certificate in PEM. */
export function keysOfPem(text: string): KeysRead {
  if (text.trimStart().startsWith("{")) return none("not PEM", "is it a JWKS? name it with jwksFile");
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return none("holds a private key", "give the public one: openssl pkey -in KEY -pubout");
  const blocks = text.match(/-----BEGIN [A-Z0-9 ]+-----/g)?.length ?? 0;
  if (blocks !== 1) {
    const found = blocks === 0 ? "no public key or certificate in PEM" : `${blocks} keys or certificates`;
    return none(found, "give one; several go into a JWKS");
  }
  const key = orNull(() => createPublicKey(text));
  if (key === null) return none("a key or certificate that cannot be read", "is it damaged?");
  const usable = verifyingKey(key, null);
  return usable === null ? none("a key that cannot be used", USABLE) : { ok: true, keys: [usable] };
}

/** Reads a JWKS (RFC 7517). Keys for other purposes are passed over, as section 5 of it wants. */
export function keysOfJwks(text: string): KeysRead {
  if (/-----BEGIN [A-Z0-9 ]+-----/.test(text)) return none("not JSON", "is it PEM? name it with keyFile");
  const given = listOf(text);
  if (given === null) return none("no JWKS", 'expected { "keys": [ … ] }');
  if (given.some((jwk) => jwk.kty !== "oct" && jwk.d !== undefined))
    return none("holds a private key", "give the public ones only");
  const keys = given.flatMap((jwk) => keyOfJwk(jwk) ?? []);
  if (keys.length > 0) return { ok: true, keys };
  return none("no key in it verifies signatures", `${USABLE}, or oct`);
}

function none(message: string, hint: string): KeysRead {
  return { ok: false, message, hint };
}

type Fields = Readonly<Record<string, unknown>>;

function listOf(text: string): readonly Fields[] | null {
  try {
    const given: unknown = JSON.parse(text);
    const keys = isRecord(given) ? given.keys : null;
    return Array.isArray(keys) ? keys.filter(isRecord) : null;
  } catch {
    return null;
  }
}

function keyOfJwk(given: Fields): VerifyingKey | null {
  const { use, key_ops: operations, alg, kid } = given;
  if (use !== undefined && use !== "sig") return null;
  if (Array.isArray(operations) && !operations.includes("verify")) return null;
  const name = typeof kid === "string" ? kid : null;
  const key = given.kty === "oct" ? secretKey(given.k, name) : importedKey(given, name);
  if (key === null || alg === undefined) return key;
  return key.algorithms.includes(String(alg)) ? { ...key, algorithms: [String(alg)] } : null;
}

function secretKey(k: unknown, kid: string | null): VerifyingKey | null {
  if (typeof k !== "string" || !/^[\w-]+$/.test(k)) return null;
  return { kid, algorithms: HMAC, jwk: { kty: "oct", k } };
}

function importedKey(jwk: Fields, kid: string | null): VerifyingKey | null {
  const key = orNull(() => createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }));
  return key === null ? null : verifyingKey(key, kid);
}

function verifyingKey(key: KeyObject, kid: string | null): VerifyingKey | null {
  const jwk = orNull(() => key.export({ format: "jwk" }));
  const algorithms = jwk?.kty === "RSA" && isLong(key) ? RSA : BY_CURVE[jwk?.crv ?? ""];
  return jwk === null || algorithms === undefined ? null : { kid, algorithms, jwk };
}

function isLong(key: KeyObject): boolean {
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA_BITS;
}

/** Node says with an exception that a key is none. */
function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
