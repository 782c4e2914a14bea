import {
  CHUNKED,
  chunk,
  get,
  HOST,
  inGroup,
  normalised,
  passed,
  post,
  refused,
  SMUGGLED,
  sized,
  waits,
} from "../case.ts";

const BEFORE = get("", "/{id}/before");

/** RFC 9112 §9.3.2. */
export const PIPELINING = inGroup("pipelining", [
  passed("two requests in one packet are answered in order", BEFORE + get()),
  passed(
    "a body and the next request in one packet",
    post("Content-Length: 5\r\n", "12345", "/{id}/before") + get(),
  ),
  passed(
    "a chunked body and the next request in one packet",
    post(CHUNKED, `${chunk("12345")}0\r\n\r\n`, "/{id}/before") + get(),
  ),
  passed(
    "an empty line behind a body, as old browsers send (RFC 9112 §2.2)",
    `${post("Content-Length: 5\r\n", "12345", "/{id}/before")}\r\n${get()}`,
    {
      may: ["passed", "normalised", "refused"],
    },
  ),
  refused(
    "bytes behind a body that are no request: the body's is answered first",
    `${post("Content-Length: 5\r\n", "12345", "/{id}/before")}67890\r\n\r\n`,
    { status: 200 },
  ),
  refused(
    "a request behind one that is refused is not served",
    `GET /{id}/before HTTP/1.1\r\n${HOST}${HOST}\r\n${get("", "/{id}/behind")}`,
  ),
  refused(
    "a request behind one with Connection: close is not served",
    get("Connection: close\r\n", "/{id}/before") + get("", "/{id}/behind"),
    {
      status: 200,
    },
  ),
  passed("a request cut in two packets", [get().slice(0, 20), get().slice(20)]),
  passed("a CRLF cut in two packets", [`GET /{id} HTTP/1.1\r`, `\n${HOST}\r\n`]),
  passed("a chunk's size cut in two packets", [post(CHUNKED, "1"), `0\r\n1234567890123456\r\n0\r\n\r\n`], {
    sees: { body: "1234567890123456" },
  }),
  passed("twenty requests in one packet", get("", "/{id}/before").repeat(19) + get()),
]);

/** RFC 9110 §10.1.1. */
export const EXPECT = inGroup("Expect", [
  passed(
    "100-continue: the body comes when it is asked for",
    [post("Expect: 100-continue\r\nContent-Length: 5\r\n"), "12345"],
    {
      sees: { body: "12345", fields: { expect: [] } },
      may: ["passed", "normalised"],
    },
  ),
  passed(
    "100-continue with the body in the same packet",
    sized("12345", "POST", "Expect: 100-continue\r\n"),
    { sees: { body: "12345" } },
  ),
  passed("100-Continue in another case", sized("12345", "POST", "Expect: 100-Continue\r\n"), {
    sees: { body: "12345" },
  }),
  passed(
    "100-continue with a chunked body",
    [post(`Expect: 100-continue\r\n${CHUNKED}`), `${chunk("12345")}0\r\n\r\n`],
    { sees: { body: "12345" } },
  ),
  passed("100-continue without a body", get("Expect: 100-continue\r\n")),
  refused("another expectation (RFC 9110 §10.1.1)", sized("12345", "POST", "Expect: 200-ok\r\n"), {
    status: 417,
    may: ["refused", "passed", "normalised"],
    closes: null,
  }),
  normalised(
    "an expectation among others",
    sized("12345", "POST", "Expect: 100-continue, 200-ok\r\n"),
    /^expect:/im,
    {
      may: ["refused", "passed", "normalised"],
      sees: { body: "12345" },
    },
  ),
  normalised(
    "an expectation with a word before it (0.CL by Expect)",
    sized(SMUGGLED, "POST", "Expect: y 100-continue\r\n"),
    /^expect:/im,
    {
      may: ["refused", "passed", "normalised"],
      sees: { body: SMUGGLED },
    },
  ),
  waits(
    "a body that is never sent after 100-continue",
    post("Expect: 100-continue\r\nContent-Length: 5\r\n"),
  ),
]);

const KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const WEBSOCKET = `Connection: Upgrade\r\nUpgrade: websocket\r\n${KEY}`;
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-From: {id}\r\n\r\n";
const NO = "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nX-From: {id}\r\n\r\nno";

/** RFC 9110 §7.8, RFC 6455. */
export const UPGRADE = inGroup("Upgrade", [
  normalised(
    "an offer of h2c is not passed on (RFC 9113 §3.1)",
    get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
    /^(upgrade|http2-settings):/im,
  ),
  normalised(
    "an offer of h2c among others",
    get("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"),
    /^upgrade:.*h2c/im,
  ),
  normalised("an offer of TLS (RFC 2817)", get("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), /^upgrade:/im),
  normalised(
    "Upgrade without Connection (RFC 9110 §7.8)",
    get(`Upgrade: websocket\r\n${KEY}`),
    /^upgrade:/im,
    { may: ["normalised", "refused"] },
  ),
  normalised("an upgrade on POST", post(WEBSOCKET, "", "/{id}"), /^upgrade:/im, {
    may: ["normalised", "refused", "passed"],
  }),
  passed(
    "an upgrade with a body is a request with a body",
    post(`${WEBSOCKET}Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED, "/{id}", "GET"),
    {
      may: ["passed", "normalised", "refused"],
      sees: { method: "GET", body: SMUGGLED, fields: { upgrade: [] } },
    },
  ),
  passed(
    "an upgrade with a chunked body is a request with a body",
    post(`${WEBSOCKET}${CHUNKED}`, `${chunk(SMUGGLED)}0\r\n\r\n`, "/{id}", "GET"),
    {
      may: ["passed", "normalised", "refused"],
      sees: { method: "GET", body: SMUGGLED, fields: { upgrade: [] } },
    },
  ),
  passed(
    "an upgrade that the region refuses (WebSocket smuggling): bytes behind it reach nobody",
    get(WEBSOCKET) + SMUGGLED,
    {
      answer: { bytes: NO },
      status: 426,
      closes: "client",
      may: ["passed", "normalised", "refused"],
    },
  ),
  passed("an upgrade that the region refuses, and bytes once it has", [get(WEBSOCKET), SMUGGLED], {
    answer: { bytes: NO },
    status: 426,
    may: ["passed", "normalised", "refused"],
    closes: "client",
  }),
  passed("an upgrade that the region overhears", get(WEBSOCKET) + SMUGGLED, {
    may: ["passed", "normalised", "refused"],
    closes: "client",
  }),
  refused("an upgrade with two Host lines", get(`${WEBSOCKET}${HOST}`)),
  refused("an upgrade without a Host", `GET /{id} HTTP/1.1\r\n${WEBSOCKET}\r\n`),
  refused("an upgrade with a fragment", get(WEBSOCKET, "/{id}#x")),
  refused("a 101 that nobody has asked for (RFC 9110 §15.2.2)", get(), {
    answer: {
      bytes: `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-From: {id}\r\n\r\n`,
    },
    status: 502,
    closes: "region",
  }),
  refused("a 101 to a POST", sized("12345"), { answer: { bytes: SWITCH }, status: 502, closes: "region" }),
  refused("a 101 to another protocol than was asked for (RFC 9110 §15.2.2)", get(WEBSOCKET), {
    answer: { bytes: SWITCH.replace("websocket", "h2c") },
    status: 502,
    closes: "region",
  }),
]);
