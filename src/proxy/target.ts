import type { InboundRequest } from "./inbound.ts";

/** Where a request is going, in one reading: what we route by is what the region gets. */
export interface Target {
  /** Origin-form: path and query. */
  readonly url: string;
  /** Path without the query. */
  readonly path: string;
  readonly host: string;
}

const AUTHORITY = /^(\[[0-9a-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:\d{1,5})?$/i;

/**
 * The target and authority of a request, or why it has none. An absolute-form target outranks `Host`
 * (RFC 9112 §3.2.2); two Host lines, or one that is no authority, are refused, because the next parser may
 * pick the other one.
 */
export function readTarget(req: InboundRequest): Target | string {
  const url = req.url ?? "";
  const hosts = countOf(req.rawHeaders, "host");
  if (hosts > 1) return "more than one Host header";
  if (url.startsWith("/")) return origin(url, req.headers.host ?? "");
  if (!/^https?:\/\//i.test(url)) return "the request target is neither a path nor an http URL";
  const absolute = URL.canParse(url) ? new URL(url) : null;
  if (absolute === null || absolute.username || absolute.password)
    return "the request target is not a valid URL";
  return origin(`${absolute.pathname}${absolute.search}`, absolute.host);
}

function origin(url: string, host: string): Target | string {
  if (!AUTHORITY.test(host)) return "the Host header is not a host";
  const query = url.indexOf("?");
  return { url, path: query === -1 ? url : url.slice(0, query), host };
}

function countOf(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) count += 1;
  return count;
}
