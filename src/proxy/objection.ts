import { METHODS } from "node:http";
import type { Fault } from "../errors.ts";
import type { InboundRequest } from "./inbound.ts";
import { countOf } from "./target.ts";

/** Why a request is refused before anything is decided. */
export interface Objection {
  readonly fault: Fault;
  readonly detail: string;
}

/**
 * The parser takes methods of RTSP and Icecast too. An edge connects nobody to anywhere, and TRACE would show a script
 * the cookies that it may not read and what the edge adds (RFC 9110 §9.3.8).
 */
const SUPPORTED: ReadonlySet<string> = new Set(
  METHODS.filter((method) => !["CONNECT", "TRACE", "SOURCE"].includes(method)),
);

/** What Node's parser lets through although two readers could take it for different things; null when nothing. */
export function objectionTo(req: InboundRequest): Objection | null {
  const coding = req.headers["transfer-encoding"];
  if (!SUPPORTED.has(req.method ?? ""))
    return { fault: "not_implemented", detail: "the method is not supported" };
  // RFC 9112 §6.1: faulty framing; the connection cannot be trusted after it.
  if (coding !== undefined && req.httpVersion === "1.0")
    return { fault: "bad_request", detail: "Transfer-Encoding in HTTP/1.0" };
  // The parser undoes `chunked` alone, but takes others before it, and the region would get what they made of the body.
  if (coding !== undefined && coding.toLowerCase() !== "chunked")
    return { fault: "not_implemented", detail: "the only transfer coding that is taken is chunked" };
  // Counted in floating point, it would be another number to the region.
  if (Number(req.headers["content-length"] ?? 0) > Number.MAX_SAFE_INTEGER)
    return { fault: "body_too_large", detail: "the Content-Length is beyond counting" };
  // Node reads the first and the region perhaps the last, who may be another user.
  if (countOf(req.rawHeaders, "authorization") > 1)
    return { fault: "bad_request", detail: "more than one Authorization header" };
  return null;
}
