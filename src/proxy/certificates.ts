import { constants } from "node:crypto";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { certificateFacts } from "../config/certificate.ts";
import type { HttpsConfig } from "../config/schema-tls.ts";

type Pair = Pick<HttpsConfig, "certFile" | "keyFile">;

/**
 * Of TLS 1.2 only what keeps a recorded conversation secret when the key is lost later, and is sealed: Mozilla's
 * intermediate list less DHE, which is slow. None of them is on HTTP/2's list of bad ones (RFC 9113, Appendix A).
 */
const CIPHERS = [
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "TLS_AES_128_GCM_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** How one of the certificates is shown. */
export function contextOptions(
  { minVersion }: HttpsConfig,
  { certFile, keyFile }: Pair,
): SecureContextOptions {
  if (certFile.read === null || keyFile.read === null)
    throw new Error(`${certFile.file} and ${keyFile.file} have not been read`);
  return {
    cert: certFile.read.text,
    key: keyFile.read.text,
    minVersion,
    ciphers: CIPHERS,
    // Every one of them is good, so whoever has no hardware for AES may choose.
    honorCipherOrder: false,
    // Of use to nobody who speaks HTTP, and dear to whoever is asked for it (CVE-2011-1473).
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/** Which certificate a client gets for the name that it asks for. */
export class Certificates {
  readonly #byName = new Map<string, SecureContext>();

  /** A name that several certificates are for gets the one that names it itself, then the first. */
  constructor(https: HttpsConfig) {
    const pairs = [...https.certificates, https].map((pair) => ({
      names: "servernames" in pair ? (pair.servernames ?? null) : null,
      made: certificateFacts(pair.certFile.read?.text ?? "")?.names ?? [],
      context: createSecureContext(contextOptions(https, pair)),
    }));
    for (const { names, context } of pairs) for (const name of names ?? []) this.#byName.set(name, context);
    for (const { names, made, context } of pairs)
      for (const name of names === null ? made : [])
        if (!this.#byName.has(name)) this.#byName.set(name, context);
  }

  /** Null when no certificate is for the name, so that the one for all names is shown. */
  for(servername: string): SecureContext | null {
    const name = servername.toLowerCase().replace(/\.$/, "");
    const parent = name.slice(name.indexOf(".") + 1);
    return this.#byName.get(name) ?? this.#byName.get(`*.${parent}`) ?? null;
  }
}
