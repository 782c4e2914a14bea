import { inGroup, leniently, sized } from "../case.ts";
import { answered, bad, good, OK, simple } from "./answer.ts";

/** RFC 9112 §4. */
export const STATUS_LINES = inGroup("a region's status line", [
  good("a plain answer", OK),
  good("without a reason (RFC 9112 §4)", OK.replace("200 OK", "200 ")),
  good("without a reason and its space, as some send", OK.replace("200 OK", "200"), {
    may: ["passed", "normalised", "refused"],
  }),
  good("a reason that a client may not read is left out", OK.replace("OK", "O\xffK")),
  good("a status that nobody has defined (RFC 9110 §15)", OK.replace("200 OK", "299 Peculiar"), {
    status: 299,
  }),
  bad("no status line", "SSH-2.0-OpenSSH_9.2 {id}\r\n", { ends: "close" }),
  bad("an answer of HTTP/0.9", "<html>{id}</html>", { ends: "close" }),
  bad("nothing", "", { send: sized("12345"), ends: "close" }),
  bad("nothing but a reset", "", { send: sized("12345"), ends: "reset" }),
  bad("half a head", "HTTP/1.1 200 OK\r\nX-From: {id}\r\nX-Ha", { send: sized("12345"), ends: "close" }),
  good("HTTP/2.0, which the client does not get to see", OK.replace("HTTP/1.1", "HTTP/2.0"), {
    does: "normalised",
    doubt: /HTTP\/2\.0/,
    may: ["refused", "normalised"],
  }),
  bad("HTTP/1.2", OK.replace("HTTP/1.1", "HTTP/1.2"), {
    may: ["refused", "normalised"],
    doubt: /HTTP\/1\.2/,
  }),
  bad("a lower-case protocol name", OK.replace("HTTP", "http")),
  bad("another protocol", OK.replace("HTTP/1.1", "ICY")),
  bad("a status of two digits", OK.replace("200", "20")),
  bad("a status of four digits", OK.replace("200", "2000")),
  bad("a status of 0", OK.replace("200", "000")),
  bad("a status of 99 (RFC 9110 §15)", OK.replace("200", "099")),
  bad("a status above 599 (RFC 9110 §15)", OK.replace("200", "700"), { may: ["refused", "passed"] }),
  bad("a status that is no number", OK.replace("200", "2O0")),
  bad("a negative status", OK.replace("200", "-20")),
  bad("a status line that ends in a bare LF", OK.replace("OK\r\n", "OK\n"), {
    may: ["refused", "normalised"],
    doubt: /OK\n/,
  }),
  bad("a status line with a bare CR", OK.replace("OK", "O\rK")),
  good("a NUL in a reason", OK.replace("OK", "O\0K"), {
    does: "normalised",
    doubt: "O\0K",
    may: ["refused", "normalised"],
  }),
]);

/** RFC 9112 §5, and what an application passes on that it should have looked at. */
export const RESPONSE_FIELDS = inGroup("a region's header fields", [
  bad("a space before a colon (RFC 9112 §5.1)", simple("X-Name : 1\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /X-Name :/,
  }),
  bad("a folded value (RFC 9112 §5.2)", simple("X-Folded: 1\r\n 2\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /1\r\n 2/,
  }),
  bad("a NUL in a value", simple("X-Name: a\0b\r\nContent-Length: 5\r\n")),
  bad("a control character in a value", simple("X-Name: a\x01b\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: "a\x01b",
  }),
  bad("a bare CR in a value", simple("X-Name: a\rX-Injected: 1\r\nContent-Length: 5\r\n")),
  bad("a bare LF in a value", simple("X-Name: a\nX-Injected: 1\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /a\nX/,
  }),
  bad("a bare LF at the head's end", `HTTP/1.1 200 OK\r\nX-From: {id}\r\nContent-Length: 5\r\n\n12345`, {
    may: ["refused", "normalised"],
    doubt: /\r\n\n/,
  }),
  bad("a name with a space in it", simple("X Name: 1\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /X Name/,
  }),
  bad("an empty name", simple(": 1\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /\n: 1/,
  }),
  bad("a line without a colon", simple("X-Name\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /X-Name\r/,
  }),
  bad("a head of 64 KiB", simple(`X-Big: ${"a".repeat(65_536)}\r\nContent-Length: 5\r\n`)),
  bad("a head without an end", `HTTP/1.1 200 OK\r\nX-From: {id}\r\n${"X-More: 1\r\n".repeat(6_000)}`),
  good("bytes above 127 in a value", simple("X-Text: caf\xe9\r\nContent-Length: 5\r\n"), {
    doubt: /caf\xe9/,
  }),
  good(
    "hop-by-hop fields end here (RFC 9110 §7.6.1)",
    simple("Keep-Alive: timeout=9\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n"),
    {
      does: "normalised",
      doubt: /x-hop|timeout=9/i,
      may: ["normalised"],
    },
  ),
  good(
    "Upgrade without a 101 ends here (h2c in answers)",
    simple("Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 5\r\n"),
    {
      does: "normalised",
      doubt: /h2c/,
      may: ["normalised"],
    },
  ),
  good(
    "what a region says to the edge alone",
    simple("X-Meridian-Principal: root\r\nX-Meridian-Region: evil\r\nContent-Length: 5\r\n"),
    {
      does: "normalised",
      doubt: /principal|evil/i,
      may: ["normalised", "passed"],
    },
  ),
]);

/** RFC 9112 §6.3 for responses. */
export const RESPONSE_FRAMING = inGroup("a region's framing", [
  good("chunks", simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n")),
  good("a body that ends with the connection (RFC 9112 §6.3)", simple(""), { ends: "close" }),
  good("a body of HTTP/1.0 that ends with the connection", simple("").replace("1.1", "1.0"), {
    ends: "close",
  }),
  bad("two lengths that differ (RFC 9112 §6.3)", simple("Content-Length: 5\r\nContent-Length: 2\r\n")),
  bad("two lengths that are the same", simple("Content-Length: 5\r\nContent-Length: 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /content-length[\s\S]*content-length/i,
  }),
  bad("a list of lengths", simple("Content-Length: 5, 5\r\n"), {
    may: ["refused", "normalised"],
    doubt: /5, 5/,
  }),
  bad("a length with a plus", simple("Content-Length: +5\r\n")),
  bad("a negative length", simple("Content-Length: -5\r\n")),
  bad("a length in hex", simple("Content-Length: 0x5\r\n")),
  bad("a length beyond 64 bits", simple("Content-Length: 18446744073709551621\r\n")),
  bad(
    "a length and chunks (RFC 9112 §6.3)",
    simple("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n"),
    {
      may: ["refused", "normalised"],
      doubt: /content-length: 5[\s\S]*transfer-encoding/i,
    },
  ),
  bad(
    "chunks and a length",
    simple("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "5\r\n12345\r\n0\r\n\r\n"),
    {
      may: ["refused", "normalised"],
      doubt: /transfer-encoding[\s\S]*content-length: 5/i,
    },
  ),
  bad("a coding that nobody knows", simple("Transfer-Encoding: xyz\r\n"), { ends: "close" }),
  bad(
    "a coding before chunked that the edge does not undo",
    simple("Transfer-Encoding: gzip, chunked\r\n", "5\r\n12345\r\n0\r\n\r\n"),
    {
      may: ["refused", "passed"],
      doubt: /gzip/,
    },
  ),
  bad("chunked before another coding", simple("Transfer-Encoding: chunked, gzip\r\n"), { ends: "close" }),
  bad(
    "chunked twice",
    simple("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n"),
    leniently(/(\r\ntransfer-encoding:[^\r]*){2}/i),
  ),
  bad("identity", simple("Transfer-Encoding: identity\r\n"), {
    ends: "close",
    may: ["refused", "normalised"],
    doubt: /identity/,
  }),
  bad(
    "chunked behind a vertical tab",
    simple("Transfer-Encoding: \x0bchunked\r\n", "5\r\n12345\r\n0\r\n\r\n"),
  ),
  good(
    "chunks in HTTP/1.0 end the connection (RFC 9112 §6.1)",
    simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n").replace("1.1", "1.0"),
    {
      may: ["refused", "passed", "normalised"],
      closes: "region",
    },
  ),
  answered(simple("Content-Length: 500\r\n"), "a body that is shorter than is said stays short", "cut", {
    ends: "close",
  }),
  answered(simple("Content-Length: 500\r\n"), "a body that a reset cuts stays cut", "cut", {
    ends: "reset",
    may: ["cut", "refused"],
    status: null,
  }),
  answered(
    simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n"),
    "chunks without the last one stay without it",
    "cut",
    { ends: "close" },
  ),
  answered(
    [simple("Transfer-Encoding: chunked\r\n", ""), "5x\r\n12345\r\n0\r\n\r\n"],
    "a chunk size that is none",
    "cut",
    { may: ["cut", "refused"], status: null },
  ),
  answered(
    [simple("Transfer-Encoding: chunked\r\n", ""), "5\r\n123450\r\n\r\n"],
    "a chunk that does not end",
    "cut",
    { may: ["cut", "refused"], status: null },
  ),
  answered(
    [simple("Transfer-Encoding: chunked\r\n", ""), "5\n12345\r\n0\r\n\r\n"],
    "a chunk size behind a bare LF",
    "cut",
    { may: ["cut", "refused", "normalised"], doubt: /\n5\n1/, status: null },
  ),
  answered(
    [simple("Transfer-Encoding: chunked\r\n", ""), "10000000000000005\r\n12345\r\n0\r\n\r\n"],
    "a chunk size of 2^64 + 5",
    "cut",
    { may: ["cut", "refused"], status: null },
  ),
  good("chunk extensions end here", simple("Transfer-Encoding: chunked\r\n", "5;a=b\r\n12345\r\n0\r\n\r\n"), {
    does: "normalised",
    doubt: /;a=b/,
    may: ["normalised"],
  }),
  good(
    "chunks to a client of HTTP/1.0 (RFC 9112 §6.1)",
    simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n"),
    {
      send: "GET /{id} HTTP/1.0\r\nHost: raw.test\r\n\r\n",
      does: "normalised",
      doubt: /transfer-encoding/i,
      may: ["normalised"],
    },
  ),
  good(
    "chunks to a client of HTTP/1.0 that wants to stay",
    simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\n\r\n"),
    {
      send: "GET /{id} HTTP/1.0\r\nHost: raw.test\r\nConnection: keep-alive\r\n\r\n",
      does: "normalised",
      doubt: /transfer-encoding/i,
      may: ["normalised"],
    },
  ),
  good("trailers go on", simple("Transfer-Encoding: chunked\r\n", "5\r\n12345\r\n0\r\nX-Sum: 1\r\n\r\n"), {
    doubt: /x-sum/i,
    may: ["passed", "normalised"],
  }),
  good(
    "trailers that belong in the head do not",
    simple(
      "Transfer-Encoding: chunked\r\n",
      "5\r\n12345\r\n0\r\nSet-Cookie: a=evil\r\nX-Meridian-Principal: evil\r\nLocation: /evil\r\n\r\n",
    ),
    {
      does: "normalised",
      doubt: /evil/i,
      may: ["normalised"],
    },
  ),
]);
