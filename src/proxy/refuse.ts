import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { FAULTS, type Fault, problem } from "../errors.ts";
import type { InboundResponse } from "./inbound.ts";

/** How long a client should wait before it tries again after a 503. */
const RETRY_AFTER_SECONDS = "1";

/** How long a refused client may take to read why, before its socket is destroyed. */
const LINGER_MS = 1_000;

/** Answers with problem+json, when there is still somebody to answer and nothing was answered yet. */
export function refuse(
  res: InboundResponse,
  fault: Fault,
  requestId: string,
  close: boolean,
  detail?: string,
): void {
  if (res.headersSent || res.destroyed) return void res.destroy();
  const { status } = FAULTS[fault];
  const body = JSON.stringify(problem(fault, requestId, detail));
  const headers = [
    "content-type",
    "application/problem+json",
    "content-length",
    String(Buffer.byteLength(body)),
  ];
  headers.push("cache-control", "no-store", "x-request-id", requestId);
  if (status === 503) headers.push("retry-after", RETRY_AFTER_SECONDS);
  if (close) headers.push("connection", "close");
  res.writeHead(status, STATUS_CODES[status] ?? "", headers);
  if (res.req.method === "HEAD") res.end();
  else res.end(body);
}

/** The same for a bare socket: an upgrade, or bytes that are not HTTP. The socket is closed afterwards. */
export function refuseSocket(socket: Duplex, fault: Fault, requestId: string, detail?: string): void {
  if (!socket.writable) return void socket.destroy();
  socket.end(refusal(fault, requestId, detail));
  lingerThenDestroy(socket);
}

/** The same in the middle of a request, whose rest nobody can read: its handler sees the socket go. */
export function refuseMidway(socket: Socket, fault: Fault, requestId: string): void {
  socket.write(refusal(fault, requestId));
  socket.destroySoon();
}

/** A whole answer for a connection that ends with it. */
function refusal(fault: Fault, requestId: string, detail?: string): string {
  const { status } = FAULTS[fault];
  const body = JSON.stringify(problem(fault, requestId, detail));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    ...(status === 503 ? [`retry-after: ${RETRY_AFTER_SECONDS}`] : []),
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

/**
 * A socket whose last word is written. Reading on lets the peer's end be seen, and keeps the kernel from answering
 * unread bytes with a reset that would overtake that word.
 */
export function lingerThenDestroy(socket: Duplex): void {
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}
