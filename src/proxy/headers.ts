import { randomUUID } from "node:crypto";
import { isIPv6 } from "node:net";
import { isSafe } from "../routing/intent.ts";
import { type Position, readPosition } from "../routing/position.ts";
import { newTraceparent, type Trace, traceOf, traceparentOf } from "../trace.ts";
import { clientAddress } from "./client-address.ts";
import type { Exchange } from "./exchange.ts";
import type { InboundRequest } from "./inbound.ts";
import type { Settings } from "./settings.ts";

/** Headers as they go on the wire: name, value, name, value. Order, case and repetition survive. */
export type HeaderList = string[];

/** The prefix that is Meridian's own: a client's are dropped on the way in, a region's on the way out. */
const OWN_PREFIX = "x-meridian-";

/** RFC 9110 §7.6.1, and what older software sends beside `Connection`. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/**
 * What only a proxy before us may say, beside {@link FORWARDED_PREFIX}; a stranger's are lies. `via` and `forwarded` name
 * other hops; what names the client or the URL anew is believed by some application servers.
 */
const FROM_TRUSTED_ONLY: ReadonlySet<string> = new Set([
  "forwarded",
  "via",
  "client-ip",
  "front-end-https",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-original-host",
  "x-original-url",
  "x-real-ip",
  "x-request-id",
  "x-rewrite-url",
  "traceparent",
  "tracestate",
]);

const FORWARDED_PREFIX = "x-forwarded-";

/** We set these ourselves, from what a trusted peer said and what we see. */
const REPLACED: ReadonlySet<string> = new Set([
  "host",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-request-id",
  "traceparent",
]);

/** The edge answers 100 Continue itself, and does not send on the trailers that it would announce. */
const NOT_SENT_ON: ReadonlySet<string> = new Set(["expect", "trailer"]);

/** Which of a client's headers are not passed on, by one look: always, or from a stranger. */
const DROPPED: ReadonlyMap<string, "always" | "from strangers"> = new Map([
  ...[...FROM_TRUSTED_ONLY].map((name) => [name, "from strangers"] as const),
  ...[...HOP_BY_HOP, ...REPLACED, ...NOT_SENT_ON].map((name) => [name, "always"] as const),
]);

/** What this edge knows of a request's way here. */
export interface Passage {
  readonly requestId: string;
  readonly host: string;
  readonly proto: "http" | "https";
  readonly port: string;
  readonly forwardedFor: string;
  readonly forwardedHost: string;
  readonly via: string;
  /** What a region is told when nothing is traced here. */
  readonly traceparent: string;
  /** Null when nothing is traced here. */
  readonly trace: Trace | null;
  readonly trusted: boolean;
}

/** Reads the forwarding headers by the trusted-proxy rule. `host` is the authority the request is for. */
export function readPassage(
  req: InboundRequest,
  host: string,
  trusted: boolean,
  { pseudonym, config }: Pick<Settings, "pseudonym" | "config">,
): Passage {
  const said = (name: string): string | undefined => (trusted ? single(req.headers[name]) : undefined);
  const peer = clientAddress(req.socket) ?? "unknown";
  const forwardedFor = said("x-forwarded-for");
  const via = said("via");
  const encrypted = req.socket.encrypted === true;
  const proto = said("x-forwarded-proto")?.toLowerCase() === "https" || encrypted ? "https" : "http";
  const hop = `${req.httpVersion} ${pseudonym}`;
  return {
    requestId: validRequestId(said("x-request-id")) ?? randomUUID(),
    host,
    proto,
    port: said("x-forwarded-port") ?? portOf(host) ?? (proto === "https" ? "443" : "80"),
    forwardedFor: forwardedFor ? `${forwardedFor}, ${peer}` : peer,
    forwardedHost: said("x-forwarded-host") ?? host,
    via: via ? `${via}, ${hop}` : hop,
    traceparent: said("traceparent") ?? newTraceparent(),
    trace: config.tracing === undefined ? null : traceOf(said("traceparent"), config.tracing.samplePercent),
    trusted,
  };
}

/** Whether the request has already been through this very edge, whoever sent it. */
export function isLoop(req: InboundRequest, { pseudonym }: Pick<Settings, "pseudonym">): boolean {
  const via = single(req.headers.via);
  if (via === undefined) return false;
  return via.split(",").some((hop) => hop.trim().split(/\s+/)[1] === pseudonym);
}

/**
 * The headers a region gets: the client's less hop-by-hop, less what `Connection` names, less what it may not
 * say; then ours. Ours come last, so that a client cannot have them stripped by naming them in `Connection`.
 */
export function requestHeaders(req: InboundRequest, passage: Passage, own: HeaderList): HeaderList {
  const nominated = connectionTokens(single(req.headers.connection));
  const headers: HeaderList = [];
  const raw = req.rawHeaders;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? "";
    const spelt = name.toLowerCase();
    const key = asCgiReads(spelt);
    const dropped = DROPPED.get(key);
    if (dropped === "always" || nominated?.has(spelt) || key.startsWith(OWN_PREFIX)) continue;
    if (!passage.trusted && (dropped !== undefined || key.startsWith(FORWARDED_PREFIX))) continue;
    if (key !== spelt && key === "content-length") continue;
    headers.push(name, raw[i + 1] ?? "");
  }
  // Without a Host, which HTTP/1.0 may be, the region is asked by its own name.
  if (passage.host !== "") headers.push("host", passage.host);
  headers.push("via", passage.via, "x-request-id", passage.requestId);
  headers.push("x-forwarded-for", passage.forwardedFor, "x-forwarded-proto", passage.proto);
  if (passage.forwardedHost !== "") headers.push("x-forwarded-host", passage.forwardedHost);
  headers.push("x-forwarded-port", passage.port, ...own);
  return headers;
}

/**
 * CGI, and what has its manners, makes one name of `X-Forwarded-For`, `X_Forwarded_For` and `X.Forwarded.For`: whoever
 * drops only the first lets the others speak for it. So a name is judged by how it will be read.
 */
function asCgiReads(name: string): string {
  return /^[a-z0-9-]*$/.test(name) ? name : name.replaceAll(/[^a-z0-9]/g, "-");
}

/** What a region is told about this edge and this attempt; and, before anything that may write, which write epoch is believed in. */
export function ownHeaders({ settings, passage, method, writes, inputs, attempts }: Exchange): HeaderList {
  const { trace } = passage;
  const traceparent = trace === null ? passage.traceparent : traceparentOf(trace, attempts.length);
  const own = ["traceparent", traceparent, "x-meridian-edge", settings.edgeId];
  if (writes || !isSafe(method)) own.push("x-meridian-write-epoch", String(inputs?.view.epoch ?? 0));
  return own;
}

/** What a region says to Meridian and to nobody else. */
export interface RegionWord {
  /** `x-meridian-wrote`: whether the request wrote, whatever its method; null when not said. */
  readonly wrote: boolean | null;
  /** `x-meridian-position`; null when not said, or not readable. */
  readonly position: Position | null;
  readonly principal: string | null;
  readonly setCookies: readonly string[];
}

export interface RegionHead {
  readonly status: number;
  /** What the client gets, before our own headers. */
  readonly headers: HeaderList;
  /** Of the body; the first line of several, empty without any. */
  readonly contentType: string;
  readonly word: RegionWord;
}

/** Splits a region's response headers into the client's part and Meridian's. */
export function readRegionHead(raw: readonly (Buffer | string)[], status: number): RegionHead {
  const headers: HeaderList = [];
  const setCookies: string[] = [];
  let wrote: boolean | null = null;
  let position: Position | null = null;
  let principal: string | null = null;
  let nominated: ReadonlySet<string> | null = null;
  let contentType: string | null = null;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = text(raw[i]);
    const key = name.toLowerCase();
    const value = text(raw[i + 1]);
    if (key === "connection") nominated = union(nominated, connectionTokens(value));
    else if (key === "x-meridian-wrote") wrote = value === "1" ? true : value === "0" ? false : wrote;
    else if (key === "x-meridian-position") position = readPosition(value);
    else if (key === "x-meridian-principal") principal = value || null;
    else if (key === "set-cookie") setCookies.push(value);
    else if (key === "content-type") contentType ??= value;
    if (HOP_BY_HOP.has(key) || key.startsWith(OWN_PREFIX)) continue;
    // RFC 9110 §8.6: a 204 has no content and must not announce any.
    if (key === "content-length" && status === 204) continue;
    headers.push(name, value);
  }
  return {
    status,
    headers: nominated ? without(headers, nominated) : headers,
    contentType: contentType ?? "",
    word: { wrote, position, principal, setCookies },
  };
}

/** A header as Node parsed it, several lines joined as RFC 9110 §5.3 says. */
export function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}

function union(
  one: ReadonlySet<string> | null,
  other: ReadonlySet<string> | null,
): ReadonlySet<string> | null {
  return one && other ? new Set([...one, ...other]) : (one ?? other);
}

function without(headers: HeaderList, names: ReadonlySet<string>): HeaderList {
  const kept: HeaderList = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? "";
    if (!names.has(name.toLowerCase())) kept.push(name, headers[i + 1] ?? "");
  }
  return kept;
}

/** Header names that `Connection` declares to be for this hop only; null when it names none but its own. */
function connectionTokens(value: string | undefined): ReadonlySet<string> | null {
  if (value === undefined || /^(keep-alive|close|upgrade)$/i.test(value)) return null;
  return new Set(value.split(",").map((token) => token.trim().toLowerCase()));
}

function text(value: Buffer | string | undefined): string {
  return typeof value === "string" ? value : (value?.toString("latin1") ?? "");
}

function portOf(host: string): string | undefined {
  // Most hosts are seen to be no IPv6 address by their first colon, and the expression for one is long.
  const colon = host.indexOf(":");
  if (colon === -1 || (colon !== host.lastIndexOf(":") && isIPv6(host))) return undefined;
  return /:(\d+)$/.exec(host)?.[1];
}

/** A request id goes into logs and URLs, so only a modest one is taken over. */
function validRequestId(given: string | undefined): string | undefined {
  return given !== undefined && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : undefined;
}
