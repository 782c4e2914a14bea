import { isIP } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { isH2c, originUrl } from "../config/origin.ts";
import type { RegionConfig } from "../config/schema.ts";

/** How an endpoint is spoken to. Replaced whole when a reload, or a renewed certificate, changes it. */
export interface Transport {
  /** Of `http` or `https`. */
  readonly url: URL;
  /** Whether HTTP/2 is agreed on in the handshake of TLS, or spoken without asking. */
  readonly http2: "never" | "agreed" | "assumed";
  /** Whom its certificate has to be for; null in clear. */
  readonly servername: string | null;
  /** Who is believed instead of the authorities that everybody believes; null: those. */
  readonly authorities: string | null;
  /** What this edge shows of itself. */
  readonly identity: { readonly cert: string; readonly key: string } | null;
}

export function transportOf(origin: string, { tls, http2 }: Pick<RegionConfig, "tls" | "http2">): Transport {
  const url = originUrl(origin);
  const isSecure = url.protocol === "https:";
  const cert = tls?.certFile?.read?.text;
  const key = tls?.keyFile?.read?.text;
  return {
    url,
    http2: isH2c(origin) ? "assumed" : isSecure && http2 ? "agreed" : "never",
    servername: isSecure ? (tls?.servername ?? url.hostname) : null,
    authorities: (isSecure && tls?.caFile?.read?.text) || null,
    identity: isSecure && cert !== undefined && key !== undefined ? { cert, key } : null,
  };
}

/** Always verified, whatever the environment says of it (NODE_TLS_REJECT_UNAUTHORIZED). */
export function secureOptions({ authorities, identity }: Transport): ConnectionOptions {
  return { rejectUnauthorized: true, ...(authorities === null ? {} : { ca: authorities }), ...identity };
}

/**
 * What is asked for in the handshake, and checked. SNI cannot carry an address (RFC 6066 §3); without one the certificate
 * has to be for the address itself.
 */
export function askedName({ servername }: Transport): string {
  return servername === null || isIP(bare(servername)) !== 0 ? "" : servername;
}

/** Without the brackets of IPv6. */
export function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}
