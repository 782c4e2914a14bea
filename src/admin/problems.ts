/** Every way in which the admin API refuses. The key is the problem's `fault`. */
const REFUSALS = {
  malformed: { status: 400, title: "The request is malformed" },
  unauthenticated: { status: 401, title: "A valid token is needed" },
  forbidden: { status: 403, title: "This token may not do that" },
  foreign_origin: { status: 403, title: "The request comes from another site" },
  unknown_path: { status: 404, title: "There is nothing here" },
  unknown_region: { status: 404, title: "There is no such region" },
  unknown_request: { status: 404, title: "This request is not remembered" },
  unknown_identity: { status: 404, title: "This kind of identity is not configured" },
  wrong_method: { status: 405, title: "This method is not allowed here" },
  write_region: { status: 409, title: "Writes would have no region" },
  not_movable: { status: 409, title: "The write region cannot be moved there now" },
  not_moved: { status: 409, title: "The write region was not moved" },
  out_of_service: { status: 409, title: "Another region is out of service" },
  not_now: { status: 409, title: "Something else is under way" },
  no_drill: { status: 409, title: "No drill runs" },
  last_region: { status: 409, title: "Reads would have no region" },
  too_slow: { status: 408, title: "The request took too long to arrive" },
  capacity: { status: 409, title: "Other regions would get more than they can bear" },
  body_too_large: { status: 413, title: "The request body is too large" },
  media_type: { status: 415, title: "The request body must be application/json" },
  config_rejected: { status: 422, title: "The configuration has problems; nothing was changed" },
  locked_out: { status: 429, title: "Too many wrong tokens" },
  head_too_large: { status: 431, title: "The request head is too large" },
  internal: { status: 500, title: "Meridian failed" },
  store_unreachable: { status: 503, title: "The shared store cannot be reached; nothing was changed" },
  unconfirmed: { status: 503, title: "The shared store did not confirm the change; it may be made yet" },
  not_ready: { status: 503, title: "This edge does not take traffic" },
  busy: { status: 503, title: "Too many clients" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type RefusalWord = keyof typeof REFUSALS;

/** What a refusal may carry beyond RFC 9457's own members, such as every problem of a configuration. */
export type Extensions = Readonly<Record<string, unknown>>;

/** A request that the admin API does not fulfil; becomes the problem+json body of the answer. */
export class Refusal extends Error {
  readonly word: RefusalWord;
  readonly extensions: Extensions;
  /** Fastify's name for it. */
  readonly statusCode: number;

  constructor(word: RefusalWord, detail: string, extensions: Extensions = {}) {
    super(detail);
    this.word = word;
    this.extensions = extensions;
    this.statusCode = REFUSALS[word].status;
  }

  /** The body as RFC 9457 has it. */
  body(requestId: string): AdminProblem {
    return {
      type: `urn:meridian:admin:${this.word}`,
      title: REFUSALS[this.word].title,
      status: this.statusCode,
      detail: this.message,
      requestId,
      fault: this.word,
      ...this.extensions,
    };
  }
}

export interface AdminProblem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly requestId: string;
  readonly fault: RefusalWord;
  readonly [extension: string]: unknown;
}

const BY_STATUS: Readonly<Record<number, RefusalWord>> = { 413: "body_too_large", 415: "media_type" };

/** Fastify repeats the path with its query, which is nobody's business. */
const BY_CODE: Readonly<Record<string, string>> = {
  FST_ERR_BAD_URL: "the path is not a valid URL",
  FST_ERR_MAX_PARAM_LENGTH: "a part of the path is too long",
};

/** Any error as a refusal; what is not the client's doing says nothing of its cause. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const status = statusOf(error);
  if (error instanceof Error && status >= 400 && status < 500) {
    const code = "code" in error ? String(error.code) : "";
    return new Refusal(BY_STATUS[status] ?? "malformed", BY_CODE[code] ?? error.message);
  }
  return new Refusal("internal", "the cause is in the log, under this requestId");
}

function statusOf(error: unknown): number {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return 500;
  return typeof error.statusCode === "number" ? error.statusCode : 500;
}
