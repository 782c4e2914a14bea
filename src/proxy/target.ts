import { isIPv6 } from "node:net";
import type { InboundRequest } from "./inbound.ts";

/** Where a request is going, in one reading: what we route by is what the region gets. */
export interface Target {
  /** Origin-form: path and query. */
  readonly url: string;
  /** Path without the query. */
  readonly path: string;
  /** Empty in HTTP/1.0, which may say none. */
  readonly host: string;
}

/** Of RFC 3986's names only those that hosts have: somebody takes every other sign for an end, a list or a user. */
const AUTHORITY = /^(?:\[([0-9a-f:.]+)\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
/** A fragment is never sent (RFC 9112 §3.2), and a backslash in a path is a slash to some. */
const ORIGIN = /^\/[^?#\\]*(?:\?[^#]*)?$/;
const MAX_PORT = 65_535;

/**
 * The target and authority of a request, or why it has none. An absolute-form target outranks `Host`
 * (RFC 9112 §3.2.2); two Host lines, or one that is no authority, are refused, because the next parser may
 * pick the other one.
 */
export function readTarget(req: InboundRequest): Target | string {
  const url = req.url ?? "";
  if (req.misaddressed) return req.misaddressed;
  const hosts = countOf(req.rawHeaders, "host");
  if (hosts > 1) return "more than one Host header";
  if (hosts === 0 && req.httpVersion === "1.1") return "no Host header";
  const host = req.headers.host ?? "";
  if (hosts === 1 && !isAuthority(host)) return "the Host header is not a host";
  if (url.startsWith("/")) return origin(url, host);
  const [, authority, rest = ""] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined) return "the request target is neither a path nor an http URL";
  if (!isAuthority(authority)) return "the request target is not a valid URL";
  return origin(rest.startsWith("/") ? rest : `/${rest}`, authority);
}

function origin(url: string, host: string): Target | string {
  if (!ORIGIN.test(url)) return "the request target has a backslash in its path, or a fragment";
  const query = url.indexOf("?");
  return { url, path: query === -1 ? url : url.slice(0, query), host };
}

function isAuthority(text: string): boolean {
  const [whole, address, port] = AUTHORITY.exec(text) ?? [];
  if (whole === undefined) return false;
  return (address === undefined || isIPv6(address)) && Number(port ?? 0) <= MAX_PORT;
}

export function countOf(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const given = rawHeaders[i];
    if (given?.length === name.length && given.toLowerCase() === name) count += 1;
  }
  return count;
}
