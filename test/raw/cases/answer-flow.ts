import { get, inGroup, type Row, SMUGGLED, sized } from "../case.ts";
import { type AnswerOptions, bad, good, OK, simple } from "./answer.ts";

/** What a region that has been broken into would have the next client read. */
const POISON = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-From: {id}\r\n\r\npoisoned";

const head = (name: string, bytes: string, options: AnswerOptions = {}): Row =>
  good(name, bytes, { send: get("", "/{id}", "HEAD"), closes: "region", ...options });

/** Bytes behind the end of an answer: whoever comes next must not read them (response splitting, queue poisoning). */
export const POISONING = inGroup("bytes behind a region's answer", [
  good("a second answer behind the first", OK + POISON, { closes: "region" }),
  good("a second answer in the next packet", [OK, POISON], { closes: "region" }),
  good(
    "a second answer behind the last chunk",
    simple("Transfer-Encoding: chunked\r\n", `5\r\n12345\r\n0\r\n\r\n${POISON}`),
    { closes: "region" },
  ),
  good("junk behind the body", `${OK}junk`, { closes: "region" }),
  good("a CRLF behind the body", `${OK}\r\n`, { closes: null }),
  good("a second answer behind an empty one", simple("Content-Length: 0\r\n", POISON), { closes: "region" }),
  good("a second answer behind a redirect", OK.replace("200 OK", "302 Found") + POISON, {
    closes: "region",
    status: 302,
  }),
  good("a 204 with a body", simple("Content-Length: 5\r\n").replace("200 OK", "204 No Content"), {
    closes: "region",
    status: 204,
    does: "normalised",
    doubt: /12345|content-length: 5/i,
  }),
  good(
    "a 204 with chunks",
    simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n").replace("200 OK", "204 No Content"),
    { closes: "region", status: 204, does: "normalised", doubt: /12345/ },
  ),
  good("a 204 with an answer behind it", simple("", POISON).replace("200 OK", "204 No Content"), {
    closes: "region",
    status: 204,
  }),
  good("a 304 with a body", simple("Content-Length: 5\r\n").replace("200 OK", "304 Not Modified"), {
    closes: "region",
    status: 304,
  }),
  good(
    "a 304 with an answer behind it",
    simple("Content-Length: 40\r\n", POISON).replace("200 OK", "304 Not Modified"),
    { closes: "region", status: 304 },
  ),
  head("HEAD with a body", OK),
  head("HEAD with chunks", simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n")),
  head("HEAD with an answer as a body", simple(`Content-Length: ${POISON.length}\r\n`, POISON)),
  good("HEAD without a body keeps its length", simple("Content-Length: 5\r\n", ""), {
    send: get("", "/{id}", "HEAD"),
    doubt: /content-length: 5/i,
  }),
]);

const EARLY = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX-Hint: {id}\r\n\r\n";

/** RFC 9110 §15.2. */
export const INTERIM = inGroup("interim responses", [
  good("a 103 goes on (RFC 8297)", EARLY + OK, { may: ["passed", "normalised"] }),
  good("three of them", EARLY.repeat(3) + OK),
  good("a 102", "HTTP/1.1 102 Processing\r\n\r\n".repeat(3) + OK),
  good("a 1xx that nobody has defined", `HTTP/1.1 150 Strange\r\n\r\n${OK}`),
  good("a 103 to HTTP/1.0 does not (RFC 9110 §15.2)", EARLY + OK, {
    send: "GET /{id} HTTP/1.0\r\nHost: raw.test\r\n\r\n",
    does: "normalised",
    doubt: /103 Early/,
    may: ["normalised"],
  }),
  good(
    "a 103 with a length has no body",
    `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nLink: </a>\r\n\r\n${OK}`,
  ),
  bad("a 103 and then nothing", EARLY, { ends: "close" }),
  bad("a flood of them", EARLY.repeat(2_000) + OK, {
    may: ["refused", "passed", "normalised"],
    doubt: /200 OK/,
  }),
]);

const BODY = SMUGGLED.repeat(3);
const upload = (declared = BODY.length): string =>
  `POST /{id} HTTP/1.1\r\nHost: raw.test\r\nContent-Length: ${declared}\r\n\r\n`;
const early = (name: string, bytes: string, options: AnswerOptions = {}): Row =>
  good(name, bytes, {
    send: [upload(), BODY.slice(0, 50), BODY.slice(50)],
    when: "head",
    closes: "region",
    ...options,
  });

/** An answer that comes before the request has ended: its connection cannot be told where the next request begins. */
export const EARLY_ANSWERS = inGroup("early answers", [
  early("a 401 before the body", OK.replace("200 OK", "401 No"), { status: 401 }),
  early(
    "a 413 that closes",
    OK.replace("200 OK", "413 Too Large").replace("X-From", "Connection: close\r\nX-From"),
    { status: 413, ends: "close" },
  ),
  early("a 413 that resets", OK.replace("200 OK", "413 Too Large"), {
    status: 413,
    ends: "reset",
    may: ["passed", "refused", "cut"],
  }),
  early("a 413 that resets in the middle of a large body", OK.replace("200 OK", "413 Too Large"), {
    status: 413,
    ends: "reset",
    send: [`POST /{id} HTTP/1.1\r\nHost: raw.test\r\nContent-Length: 1000000\r\n\r\n`, "a".repeat(1_000_000)],
    may: ["passed", "refused", "cut"],
  }),
  early("a 200 before the body", OK),
  early("an answer and a second one before the body", OK + POISON),
  early("an answer while a chunked body is sent", OK, {
    send: [
      `POST /{id} HTTP/1.1\r\nHost: raw.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n`,
      `5\r\n67890\r\n0\r\n\r\n`,
    ],
  }),
  early("an answer to an upload that never ends", OK, { send: [upload(5_000_000), BODY] }),
  good("an answer to a body that has come", OK, { send: sized(BODY), closes: null }),
]);
