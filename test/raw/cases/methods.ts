import {
  CHUNKED,
  chunk,
  chunked,
  get,
  inGroup,
  normalised,
  passed,
  post,
  refused,
  SMUGGLED,
  sized,
} from "../case.ts";

const framed = (method: string) => [
  passed(`CL.0: a sized body on ${method} is not the next request`, sized(SMUGGLED, method), {
    may: ["passed", "normalised", "refused"],
    sees: { method, body: SMUGGLED },
  }),
  passed(`TE.0: a chunked body on ${method} is not the next request`, chunked(SMUGGLED, method), {
    may: ["passed", "normalised", "refused"],
    sees: { method, body: SMUGGLED },
  }),
];

/** RFC 9110 §9.3: a body has no meaning with some methods, but it is still framed (RFC 9112 §6). */
export const METHODS = inGroup("methods with bodies", [
  ...["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "PROPFIND"].flatMap(framed),
  passed("CL.0: a sized body on HEAD is not the next request", sized(SMUGGLED, "HEAD"), {
    may: ["passed", "normalised", "refused"],
    sees: { method: "HEAD", body: SMUGGLED },
  }),
  passed("TE.0: a chunked body on HEAD is not the next request", chunked(SMUGGLED, "HEAD"), {
    may: ["passed", "normalised", "refused"],
    sees: { method: "HEAD", body: SMUGGLED },
  }),
  passed("a length of 0 on GET", post("Content-Length: 0\r\n", "", "/{id}", "GET"), { sees: { body: "" } }),
  passed("an empty chunked body on GET", post(CHUNKED, "0\r\n\r\n", "/{id}", "GET"), { sees: { body: "" } }),
  passed("POST without a length has no body (RFC 9112 §6.3)", get("", "/{id}", "POST"), {
    sees: { body: "" },
  }),
  passed("HEAD (RFC 9110 §9.3.2)", get("", "/{id}", "HEAD"), { sees: { method: "HEAD" } }),
  passed("OPTIONS with a path (RFC 9110 §9.3.7)", get("", "/{id}", "OPTIONS"), {
    sees: { method: "OPTIONS" },
  }),
  passed("a method of WebDAV", get("Depth: 0\r\n", "/{id}", "PROPFIND"), { sees: { method: "PROPFIND" } }),
  refused("TRACE, which shows what the edge adds (RFC 9110 §9.3.8)", get("", "/{id}", "TRACE"), {
    status: 501,
    may: ["refused", "passed"],
  }),
  refused("TRACE with a body (RFC 9110 §9.3.8)", sized("12345", "TRACE"), {
    status: 501,
    may: ["refused", "passed", "normalised"],
  }),
  refused("a method that nobody has defined (RFC 9110 §9.1)", get("", "/{id}", "SMUGGLE"), {
    may: ["refused", "passed"],
  }),
  refused("a method of 64 KiB", get("", "/{id}", "A".repeat(65_536))),
  normalised(
    "X-HTTP-Method-Override is the application's own affair",
    get("X-HTTP-Method-Override: DELETE\r\n"),
    /^DELETE/m,
    {
      may: ["passed", "normalised"],
      sees: { method: "GET" },
    },
  ),
  passed(
    "a body of several chunks on DELETE",
    post(CHUNKED, `${chunk("12")}${chunk("345")}0\r\n\r\n`, "/{id}", "DELETE"),
    {
      sees: { body: "12345" },
    },
  ),
]);
