import type { Fault } from "../errors.ts";

/** The client closed its connection before it had its answer. */
export class ClientGone extends Error {
  override readonly name = "ClientGone";
}

/** The client neither sent what it had announced nor read what it was sent. */
export class ClientStalled extends Error {
  override readonly name = "ClientStalled";
}

/** The client sent more than `proxy.maxBodyBytes`. */
export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge";
}

/** The region's head cannot be written: a character in it that HTTP does not allow. */
export class BadHead extends Error {
  override readonly name = "BadHead";
}

/** The region's connection broke off in the middle of an answer. */
export class CutOff extends Error {
  override readonly name = "CutOff";
}

/** The region is not the writer of the epoch that it was told, and has done nothing. */
export class WriterMoved extends Error {
  override readonly name = "WriterMoved";
}

/** The names of undici's, httpxy's and our own errors, and the codes of Node's, in our words. */
const FAULT_BY_WORD: Readonly<Record<string, Fault>> = {
  ClientGone: "client_gone",
  ClientStalled: "request_timeout",
  BodyTooLarge: "body_too_large",
  BadHead: "bad_response",
  CutOff: "reset",
  WriterMoved: "writer_moved",
  HTTPParserError: "bad_response",
  ECONNREFUSED: "connect_failed",
  EHOSTUNREACH: "connect_failed",
  ENETUNREACH: "connect_failed",
  ENOTFOUND: "connect_failed",
  EAI_AGAIN: "connect_failed",
  ETIMEDOUT: "connect_failed",
  UND_ERR_CONNECT_TIMEOUT: "connect_failed",
  UND_ERR_HEADERS_TIMEOUT: "response_timeout",
  UND_ERR_BODY_TIMEOUT: "response_timeout",
  ERR_UPSTREAM_UPGRADE_TIMEOUT: "response_timeout",
  UND_ERR_HEADERS_OVERFLOW: "bad_response",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "bad_response",
  ERR_INVALID_ARG_VALUE: "bad_request",
  UND_ERR_INVALID_ARG: "bad_request",
  UND_ERR_NOT_SUPPORTED: "bad_request",
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: "bad_request",
  // This edge's own shortages, and a pool that a reload has just taken away.
  EMFILE: "no_connection",
  ENFILE: "no_connection",
  ENOBUFS: "no_connection",
  EADDRNOTAVAIL: "no_connection",
  UND_ERR_CLOSED: "no_connection",
  UND_ERR_DESTROYED: "no_connection",
};

/** What undici calls a SocketError, and is an answer that nobody asked for: a 100, a 101, one without a request. */
const NOT_AN_ANSWER: ReadonlySet<string> = new Set(["bad response", "bad upgrade"]);

/** Which fault an error of an attempt is; `sent` says whether there was a connection to send anything over. */
export function faultOf(error: Error, { sent }: { readonly sent: boolean }): Fault {
  const { code = "" } = error as NodeJS.ErrnoException;
  const known = FAULT_BY_WORD[error.name] ?? FAULT_BY_WORD[code];
  if (known !== undefined) return known;
  if (NOT_AN_ANSWER.has(error.message)) return "bad_response";
  if (code.startsWith("HPE_")) return "bad_response";
  if (error.message === "aborted") return "client_gone";
  // A handshake of TLS can fail in a hundred ways.
  const isRefused = code.startsWith("ERR_TLS") || code.startsWith("ERR_SSL") || code.includes("CERT");
  return isRefused || !sent ? "connect_failed" : "reset";
}

export function causeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error.message : `${code}: ${error.message}`;
}
