import { createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { CompactSign } from "jose";

/** What a key pair is made of, by the algorithm it signs with. */
const MAKERS = {
  RS256: () => generateKeyPairSync("rsa", { modulusLength: 2_048 }),
  ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  ES384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ES512: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  EdDSA: () => generateKeyPairSync("ed25519"),
};

/** Somebody who signs tokens. */
export class Issuer {
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;
  readonly #alg: string;

  constructor(alg: keyof typeof MAKERS = "ES256") {
    const pair = MAKERS[alg]();
    this.publicKey = pair.publicKey;
    this.#privateKey = pair.privateKey;
    this.#alg = alg;
  }

  get pem(): string {
    return this.publicKey.export({ type: "spki", format: "pem" });
  }

  get privatePem(): string {
    return this.#privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  }

  /** As it stands in a JWKS. */
  jwk(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return { ...this.publicKey.export({ format: "jwk" }), ...more };
  }

  /** @param header `alg` and what else the header should say */
  token(claims: unknown, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    return signed(claims, { alg: this.#alg, ...header }, this.#privateKey);
  }
}

/** A token signed with a shared secret. */
export function hmacToken(claims: unknown, secret: string | Buffer, header = {}): Promise<string> {
  return signed(claims, { alg: "HS256", ...header }, createSecretKey(Buffer.from(secret)));
}

/** A token that nobody signed. */
export function unsignedToken(claims: unknown, alg = "none"): string {
  return `${encoded({ alg, typ: "JWT" })}.${encoded(claims)}.`;
}

function signed(claims: unknown, header: { alg: string }, key: KeyObject): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader(header).sign(key);
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
