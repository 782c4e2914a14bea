import type { Dispatcher } from "undici";

const MAX_STATUS = 599;

/** Whether nothing in an answer's head says where its body ends, so that only the end of its connection can (RFC 9112 §6.3). */
export function endsWithConnection(
  method: string,
  status: number,
  parsed: Readonly<Record<string, string | string[] | undefined>>,
): boolean {
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  return hasBody && parsed["content-length"] === undefined && parsed["transfer-encoding"] === undefined;
}

/**
 * Why an answer cannot be passed on; null when it can. undici undoes `chunked` alone, but takes what other codings have
 * made of a body for the body; and a status beyond 599 is none (RFC 9110 §15).
 */
export function unsound(
  status: number,
  { "transfer-encoding": coding }: Readonly<Record<string, string | string[] | undefined>>,
): string | null {
  if (status > MAX_STATUS) return `the status ${status}`;
  const isChunked = typeof coding === "string" && coding.toLowerCase() === "chunked";
  return coding === undefined || isChunked ? null : `the transfer coding ${String(coding)}`;
}

/** What frames, routes or decides something belongs in the head (RFC 9110 §6.5.1); a client may merge trailers into it. */
const NO_TRAILER =
  /^(age|authorization|cache-control|connection|content-.*|date|expires|host|keep-alive|location|proxy-.*|retry-after|set-cookie|te|trailer|transfer-encoding|upgrade|vary|via|www-authenticate|x-meridian-.*)$/;

/** Those of an answer's trailers that may be trailers; null without any. */
export function soundTrailers(
  trailers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> | null {
  if (Object.keys(trailers).length === 0) return null;
  const kept = Object.entries(trailers).filter(([name]) => !NO_TRAILER.test(name.toLowerCase()));
  return kept.length === 0 ? null : (Object.fromEntries(kept) as Record<string, string>);
}

/** A reason phrase carries no meaning (RFC 9112 §4): one that cannot be written is left out, not answered for. */
export function sound(statusText: string): string {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(statusText) ? statusText : "";
}

/** undici types the raw headers loosely: of HTTP/1 they are a flat list of names and values, of HTTP/2 a record. */
function rawHeaders(controller: Dispatcher.DispatchController): unknown {
  return (controller as { rawHeaders?: unknown }).rawHeaders;
}

/** Whether the answer comes over HTTP/2, where a stream's end is its own. */
export function isOverHttp2(controller: Dispatcher.DispatchController): boolean {
  return !Array.isArray(rawHeaders(controller));
}

export function rawHeadersOf(controller: Dispatcher.DispatchController): readonly (Buffer | string)[] {
  const raw = rawHeaders(controller);
  if (Array.isArray(raw)) return raw as (Buffer | string)[];
  return Object.entries((raw ?? {}) as Record<string, string | string[]>).flatMap(([name, value]) =>
    [value].flat().flatMap((line) => [name, line]),
  );
}
