import assert from "node:assert/strict";
import { test } from "node:test";
import { CHUNKED, chunk, get, HOST, post, sized } from "./case.ts";
import { readRequests } from "./strict-request.ts";
import { readResponses } from "./strict-response.ts";

for (const [what, text, seen] of [
  ["a request", get(), ["GET /{id} "]],
  ["two of them", get() + sized("abc"), ["GET /{id} ", "POST /{id} abc"]],
  ["a chunked body", post(CHUNKED, `${chunk("ab")}${chunk("c")}0\r\nX: 1\r\n\r\n`), ["POST /{id} abc"]],
  ["an extension", post(CHUNKED, '3;a="b\\"";c\r\nabc\r\n0\r\n\r\n'), ["POST /{id} abc"]],
  ["an empty line before it", `\r\n${get()}`, ["GET /{id} "]],
  ["only what is complete", get() + get().slice(0, -3), ["GET /{id} "]],
  ["no body that has not all come", post("Content-Length: 5\r\n", "abc"), []],
] as const) {
  test(`the strict reader finds ${what}`, () => {
    const { requests, doubt } = readRequests(text);
    assert.deepEqual(
      requests.map(({ method, target, body }) => `${method} ${target} ${body}`),
      seen,
    );
    assert.equal(doubt, null);
  });
}

for (const [what, text] of [
  ["a bare LF", `GET / HTTP/1.1\n${HOST}\r\n`],
  ["a bare CR", get("X: a\rb\r\n")],
  ["a folded line", get("X: a\r\n b\r\n")],
  ["a space before a colon", get("X : a\r\n")],
  ["a length and a coding", post(`Content-Length: 5\r\n${CHUNKED}`, "0\r\n\r\n")],
  ["two lengths", post("Content-Length: 0\r\nContent-Length: 0\r\n")],
  ["a list of lengths", post("Content-Length: 0, 0\r\n")],
  ["a coding that is not chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")],
  ["a coding in HTTP/1.0", post(CHUNKED, "0\r\n\r\n").replace("1.1", "1.0")],
  ["no Host", "GET / HTTP/1.1\r\n\r\n"],
  ["two Hosts", get(HOST)],
  ["a size with a space", post(CHUNKED, "3 \r\nabc\r\n0\r\n\r\n")],
  ["a chunk that does not end", post(CHUNKED, "3\r\nabc0\r\n\r\n")],
  ["a length in the trailers", post(CHUNKED, "0\r\nContent-Length: 5\r\n\r\n")],
  ["a fragment", get("", "/a#b")],
  ["HTTP/2.0", `GET / HTTP/2.0\r\n${HOST}\r\n`],
] as const) {
  test(`the strict reader doubts ${what}`, () => {
    const { requests, doubt } = readRequests(text);
    assert.deepEqual(requests, []);
    assert.notEqual(doubt, null);
  });
}

test("the strict reader of answers knows which have bodies", () => {
  const head = (status: number) => `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\n`;
  const text = `HTTP/1.1 103 Y\r\n\r\n${head(200)}ok${head(304)}${head(200)}HTTP/1.1 200 Z\r\n\r\nrest`;
  const { responses, interim, doubt } = readResponses(text, ["GET", "GET", "HEAD", "GET"], true);
  assert.deepEqual(
    responses.map(({ status, body }) => `${status} ${body}`),
    ["200 ok", "304 ", "200 ", "200 rest"],
  );
  assert.deepEqual([interim.length, doubt], [1, null]);
});

test("the strict reader of answers takes no end for an end that is not one", () => {
  const { responses, begun } = readResponses("HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\nabc", ["GET"], true);
  assert.deepEqual([responses.length, begun?.status], [0, 200]);
});
