import type { IncomingHttpHeaders } from "node:http2";

/** What of undici's options is given for a request. */
export interface CallOptions {
  readonly method: string;
  readonly path: string;
  /** Names and values in turns, in lower case or not. */
  readonly headers?: readonly string[];
  readonly body?: AsyncIterable<Buffer> | null;
  /** Until the answer's head; left out: without end. */
  readonly headersTimeout?: number;
  /** Silence inside the answer; left out: without end. */
  readonly bodyTimeout?: number;
}

/** A request's head: pseudo-header fields first; the authority is what others call the host. */
export function requestFields(
  { method, path, headers = [] }: CallOptions,
  { protocol, host }: URL,
): string[] {
  const fields: string[] = [];
  let authority = host;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [name = "", value = ""] = [headers[i]?.toLowerCase(), headers[i + 1]];
    if (name === "host") authority = value;
    else fields.push(name, value);
  }
  const scheme = protocol.slice(0, -1);
  return [":method", method, ":path", path, ":scheme", scheme, ":authority", authority, ...fields];
}

/** How large the head of an answer is. */
export function bytesOf(fields: IncomingHttpHeaders): number {
  return Object.entries(fields).reduce((sum, [name, value]) => sum + name.length + String(value).length, 0);
}
