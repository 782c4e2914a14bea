import type { InboundRequest } from "./inbound.ts";

/**
 * Whether it is a call of gRPC: both sides may send for as long as they like, and neither has to wait for the other. Only
 * over HTTP/2 they are; elsewhere somebody only says so.
 */
export function isCall({ httpVersion, headers }: InboundRequest): boolean {
  return httpVersion === "2.0" && /^application\/grpc(?=[+;]|$)/i.test(headers["content-type"] ?? "");
}

/** Whether whoever asks takes trailers, as calls must. It is for each hop to say, but we pass them on. */
export function takesTrailers({ headers }: InboundRequest): boolean {
  return /\btrailers\b/i.test(String(headers.te ?? ""));
}
