import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

/** What a certificate says of itself. */
export interface CertificateFacts {
  /** Host names that it is made out to, in lower case; `*.` may stand in front. */
  readonly names: readonly string[];
  readonly validFromMs: number;
  readonly validToMs: number;
}

/** Why a certificate and its key are of no use, and in which of the two files that shows. */
export interface PairFault {
  readonly key: "certFile" | "keyFile";
  readonly message: string;
  readonly hint: string;
}

const DAY_MS = 86_400_000;

/** By when whoever renews certificates should have: most do a third of its life before, so this is late. */
const NEAR_END_MS = 14 * DAY_MS;
const NEAR_END_SHARE = 0.2;

/** The facts of the first certificate in a text; null when it holds none that can be read. */
export function certificateFacts(text: string): CertificateFacts | null {
  const certificate = orNull(() => new X509Certificate(text));
  if (certificate === null) return null;
  return {
    names: [...(certificate.subjectAltName ?? "").matchAll(/DNS:([^\s,"]+)/g)].map(([, name = ""]) =>
      name.toLowerCase(),
    ),
    validFromMs: certificate.validFromDate.getTime(),
    validToMs: certificate.validToDate.getTime(),
  };
}

/** What a client would find wrong with its time, or will soon; null when nothing. */
export function timeFault({ validFromMs, validToMs }: CertificateFacts, nowMs: number): string | null {
  if (nowMs < validFromMs) return `is not valid before ${day(validFromMs)}`;
  if (nowMs >= validToMs) return `has expired on ${day(validToMs)}`;
  const nearEndMs = Math.min(NEAR_END_MS, (validToMs - validFromMs) * NEAR_END_SHARE);
  return validToMs - nowMs < nearEndMs ? `expires on ${day(validToMs)}` : null;
}

function day(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace(/:\d\d\.\d+Z$/, " UTC")
    .replace("T", " ");
}

/** Whether a server, or a client, can show a certificate and prove that it is its own. */
export function pairFault(cert: string, key: string): PairFault | null {
  return certificateFault(cert) ?? keyFault(key) ?? mismatch(cert, key);
}

/** Why a text holds no certificates of authorities; null when it does. */
export function authorityFault(text: string): Omit<PairFault, "key"> | null {
  const fault = certificateFault(text);
  if (fault !== null) return { message: fault.message, hint: fault.hint };
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const unreadable = blocks.findIndex((block) => certificateFacts(block) === null);
  if (unreadable === -1) return null;
  return { message: `certificate ${unreadable + 1} in it cannot be read`, hint: "is it damaged?" };
}

function certificateFault(text: string): PairFault | null {
  const fault = (message: string, hint: string): PairFault => ({ key: "certFile", message, hint });
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    const isKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
    return fault(
      "no certificate in PEM",
      isKey ? "it holds a key: name it with keyFile" : "is this the right file?",
    );
  }
  return certificateFacts(text) === null
    ? fault("a certificate that cannot be read", "is it damaged?")
    : null;
}

function keyFault(text: string): PairFault | null {
  const fault = (message: string, hint: string): PairFault => ({ key: "keyFile", message, hint });
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text))
    return fault("no private key in PEM", "is this the right file?");
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    return fault("the private key has a passphrase", "take it off: openssl pkey -in KEY -out KEY");
  const key = orNull(() => createPrivateKey(text));
  return key === null ? fault("a private key that cannot be read", "is it damaged?") : null;
}

function mismatch(cert: string, key: string): PairFault | null {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    return {
      key: "keyFile",
      message: "not the key of this certificate",
      hint: "both change together when one is renewed: is one of them still the old one?",
    };
  try {
    createSecureContext({ cert, key });
    return null;
  } catch (error) {
    const { message } = error as Error;
    return { key: "certFile", message: `cannot be used: ${message}`, hint: "have a stronger one issued" };
  }
}

/** Node says with an exception that a text is no certificate, or a key none. */
function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
