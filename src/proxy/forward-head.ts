import type { Dispatcher } from "undici";

/** Certificates are checked against the endpoint's own name; a client must not be able to choose it by its Host. */
export function servernameOf(origin: string): string | null {
  return origin.startsWith("https:") ? new URL(origin).hostname : null;
}

/** Whether nothing in an answer's head says where its body ends, so that only the end of its connection can (RFC 9112 §6.3). */
export function endsWithConnection(
  method: string,
  status: number,
  parsed: Readonly<Record<string, string | string[] | undefined>>,
): boolean {
  const hasBody = method !== "HEAD" && status !== 204 && status !== 304;
  return hasBody && parsed["content-length"] === undefined && parsed["transfer-encoding"] === undefined;
}

/** A reason phrase carries no meaning (RFC 9112 §4): one that cannot be written is left out, not answered for. */
export function sound(statusText: string): string {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(statusText) ? statusText : "";
}

/** undici types the raw headers loosely; for HTTP/1 they are a flat list of names and values. */
export function rawHeadersOf(controller: Dispatcher.DispatchController): readonly (Buffer | string)[] {
  const { rawHeaders } = controller as { rawHeaders?: unknown };
  return Array.isArray(rawHeaders) ? (rawHeaders as (Buffer | string)[]) : [];
}
