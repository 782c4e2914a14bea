import type { Fault } from "../errors.ts";
import { BodyTooLarge } from "./body.ts";

/** The client closed its connection before it had its answer. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/** The region's head cannot be written: a character in it that HTTP does not allow. */
export class BadHead extends Error {
  override readonly name = "BadHead";
}

/** undici's and Node's error codes, in our words. */
const FAULT_BY_CODE: Readonly<Record<string, Fault>> = {
  ECONNREFUSED: "connect_failed",
  EHOSTUNREACH: "connect_failed",
  ENETUNREACH: "connect_failed",
  ENOTFOUND: "connect_failed",
  EAI_AGAIN: "connect_failed",
  EADDRNOTAVAIL: "connect_failed",
  EMFILE: "connect_failed",
  ETIMEDOUT: "connect_failed",
  UND_ERR_CONNECT_TIMEOUT: "connect_failed",
  UND_ERR_HEADERS_TIMEOUT: "response_timeout",
  UND_ERR_BODY_TIMEOUT: "response_timeout",
  UND_ERR_HEADERS_OVERFLOW: "bad_response",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "bad_response",
  UND_ERR_INVALID_ARG: "bad_request",
  UND_ERR_NOT_SUPPORTED: "bad_request",
  UND_ERR_DESTROYED: "connect_failed",
  UND_ERR_CLOSED: "connect_failed",
};

/** Which fault an error of an attempt is. */
export function faultOf(error: Error): Fault {
  if (error instanceof ClientGone) return "client_gone";
  if (error instanceof BodyTooLarge) return "body_too_large";
  if (error instanceof BadHead) return "bad_response";
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code.startsWith("HPE_") || error.name === "HTTPParserError") return "bad_response";
  if (code.startsWith("ERR_TLS") || code.startsWith("CERT_") || code.includes("_CERT"))
    return "connect_failed";
  return FAULT_BY_CODE[code] ?? (error.message === "aborted" ? "client_gone" : "reset");
}

export function causeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error.message : `${code}: ${error.message}`;
}
