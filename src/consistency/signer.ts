import { createHmac, timingSafeEqual } from "node:crypto";

/** 128 bits: what forging one text by guessing would take. */
const MAC_BYTES = 16;
/** Longer texts are none of ours; no need to hash what a stranger sends. */
const MAX_TEXT_LENGTH = 2_048;

/**
 * Signs what a client carries for us. The first secret signs and all verify, so that secrets can be rotated.
 * A `purpose` keeps a text signed for one use from being taken for another. Payloads are signed, not hidden.
 */
export class Signer {
  readonly #secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    if (secrets.length === 0) throw new RangeError("a signer needs at least one secret");
    this.#secrets = secrets;
  }

  /** `PAYLOAD.MAC`, each in base64url: fit for a cookie and for a header. */
  sign(purpose: string, payload: string): string {
    const body = Buffer.from(payload, "utf8").toString("base64url");
    return `${body}.${mac(this.#secrets[0] ?? "", purpose, body)}`;
  }

  /** The payload, or null when no secret of ours has signed this text for this purpose. Never throws. */
  verify(purpose: string, text: string): string | null {
    if (text.length > MAX_TEXT_LENGTH) return null;
    const dot = text.indexOf(".");
    if (dot < 0) return null;
    const body = text.slice(0, dot);
    const given = text.slice(dot + 1);
    const signed = this.#secrets.some((secret) => equal(given, mac(secret, purpose, body)));
    return signed ? Buffer.from(body, "base64url").toString("utf8") : null;
  }
}

function mac(secret: string, purpose: string, body: string): string {
  const digest = createHmac("sha256", secret).update(`meridian|${purpose}|${body}`).digest();
  return digest.subarray(0, MAC_BYTES).toString("base64url");
}

/** In constant time, and as text, so that no second spelling of a MAC passes. */
function equal(given: string, expected: string): boolean {
  const left = Buffer.from(given, "utf8");
  const right = Buffer.from(expected, "utf8");
  return left.length === right.length && timingSafeEqual(left, right);
}
