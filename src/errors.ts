/** Who has to act when a fault happens. */
export type FaultOwner = "client" | "router" | "region";

export interface FaultRule {
  /** The HTTP status a client gets. 499 is nginx's word for "the client left", never sent. */
  readonly status: number;
  readonly owner: FaultOwner;
  /** Whether another endpoint may not have it. Whether the request may be repeated is another question. */
  readonly retryable: boolean;
  /** RFC 9457 `title`. */
  readonly title: string;
}

/**
 * Every way in which Meridian itself fails a request. The key is at once the log field, the metric label,
 * the problem's `fault` and the entry in the docs.
 */
export const FAULTS = {
  bad_request: { status: 400, owner: "client", retryable: false, title: "The request is malformed" },
  unauthenticated: { status: 401, owner: "client", retryable: false, title: "A valid key is needed" },
  unknown_identity: {
    status: 404,
    owner: "client",
    retryable: false,
    title: "This kind of identity is not configured",
  },
  wrong_method: { status: 405, owner: "client", retryable: false, title: "This method is not allowed here" },
  request_timeout: {
    status: 408,
    owner: "client",
    retryable: false,
    title: "The request did not arrive in time",
  },
  body_too_large: { status: 413, owner: "client", retryable: false, title: "The request body is too large" },
  url_too_long: { status: 414, owner: "client", retryable: false, title: "The URL is too long" },
  header_too_large: {
    status: 431,
    owner: "client",
    retryable: false,
    title: "The request head is too large",
  },
  not_implemented: {
    status: 501,
    owner: "client",
    retryable: false,
    title: "The request asks for what this edge does not do",
  },
  client_gone: { status: 499, owner: "client", retryable: false, title: "The client left" },
  loop: {
    status: 508,
    owner: "client",
    retryable: false,
    title: "The request has already passed through this edge",
  },
  no_region: { status: 503, owner: "router", retryable: false, title: "No region can serve this request" },
  no_fresh_region: {
    status: 503,
    owner: "router",
    retryable: false,
    title: "Only regions that may lag too far behind could serve this reader",
  },
  residency: {
    status: 503,
    owner: "router",
    retryable: false,
    title: "No region of the required jurisdiction can serve this request",
  },
  pin_unrecorded: {
    status: 503,
    owner: "router",
    retryable: false,
    title: "The pin of a write could not be recorded",
  },
  no_connection: {
    status: 503,
    owner: "router",
    retryable: true,
    title: "No connection to the region was free in time",
  },
  region_busy: {
    status: 503,
    owner: "router",
    retryable: true,
    title: "The region has as many requests as it may have",
  },
  overloaded: {
    status: 503,
    owner: "router",
    retryable: false,
    title: "This edge takes no more connections now",
  },
  internal: { status: 500, owner: "router", retryable: false, title: "Meridian failed" },
  writer_down: {
    status: 503,
    owner: "region",
    retryable: false,
    title: "The write region cannot serve this request",
  },
  writer_moving: {
    status: 503,
    owner: "router",
    retryable: false,
    title: "The write region is being moved, and the write was not made",
  },
  writer_moved: {
    status: 503,
    owner: "router",
    retryable: true,
    title: "The region is no longer the write region, and did nothing",
  },
  connect_failed: { status: 502, owner: "region", retryable: true, title: "The region could not be reached" },
  reset: {
    status: 502,
    owner: "region",
    retryable: true,
    title: "The region closed the connection without an answer",
  },
  bad_response: {
    status: 502,
    owner: "region",
    retryable: true,
    title: "The region gave an answer that is not HTTP",
  },
  response_timeout: {
    status: 504,
    owner: "region",
    retryable: true,
    title: "The region did not answer in time",
  },
} as const satisfies Record<string, FaultRule>;

export type Fault = keyof typeof FAULTS;

/** RFC 9457 problem details, the body of every refusal. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly requestId: string;
  readonly fault: Fault;
}

export function problem(fault: Fault, requestId: string, detail?: string): Problem {
  const { status, title } = FAULTS[fault];
  return { type: `urn:meridian:fault:${fault}`, title, status, detail: detail ?? title, requestId, fault };
}
