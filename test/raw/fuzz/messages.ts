import fc from "fast-check";
import { chunk, SMUGGLED } from "../case.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];
const TARGETS = ["/a", "/a?b=c", "/a/../b", "//a", "http://raw.test/a", "/%2f?"];
const LINES = [
  "X-One: 1",
  "X-Empty:",
  "Cookie: a=b; c=d",
  "Accept: a, b;q=0.5",
  "Connection: keep-alive",
  "Connection: X-One",
  "X-Forwarded-For: 6.6.6.6",
  "X-Text: caf\xe9",
];
const BODIES = ["", "a", "12345", "\r\n", "0\r\n\r\n", SMUGGLED];

interface Parts {
  readonly method: string;
  readonly target: string;
  readonly version: string;
  readonly lines: readonly string[];
  readonly body: string;
  readonly framing: "none" | "length" | "chunks" | "odd chunks";
}

/** A request as it should be. */
const request: fc.Arbitrary<string> = fc
  .record({
    method: fc.constantFrom(...METHODS),
    target: fc.constantFrom(...TARGETS),
    version: fc.constantFrom("1.1", "1.1", "1.1", "1.0"),
    lines: fc.subarray(LINES),
    body: fc.constantFrom(...BODIES),
    framing: fc.constantFrom<Parts["framing"]>("none", "length", "chunks", "odd chunks"),
  })
  .map(written);

function written({ method, target, version, lines, body, framing }: Parts): string {
  const head = [`${method} ${target} HTTP/${version}`, "Host: raw.test", "X-Id: {id}", ...lines];
  if (framing === "none") return `${head.join("\r\n")}\r\n\r\n`;
  if (framing === "length" || version === "1.0")
    return `${[...head, `Content-Length: ${body.length}`].join("\r\n")}\r\n\r\n${body}`;
  const last = framing === "chunks" ? "0\r\n\r\n" : "000;x=y\r\nX-Sum: 1\r\n\r\n";
  const chunks =
    body === "" ? last : chunk(body.slice(0, 1)) + (body.length > 1 ? chunk(body.slice(1)) : "") + last;
  return `${[...head, "Transfer-Encoding: chunked"].join("\r\n")}\r\n\r\n${chunks}`;
}

/** What makes parsers disagree. */
const ODDITIES = [
  "\r",
  "\n",
  "\r\n",
  "\0",
  " ",
  "\t",
  "\x0b",
  ":",
  ";",
  ",",
  "\x7f",
  "\x80",
  "\xff",
  "0",
  "1",
  "f",
  "+",
  "-",
  "#",
  "\\",
  "@",
  "\r\n ",
  "\r\n\r\n",
  "chunked",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: x\r\n",
  "Host: other.test\r\n",
  "Connection: close\r\n",
  "Expect: 100-continue\r\n",
  "Upgrade: h2c\r\n",
];

type Mutation = (text: string) => string;

/** Where in a text; whatever its length. */
const place = fc.nat(1_000_000);
const at = (text: string, where: number): number => where % (text.length + 1);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(place, fc.constantFrom(...ODDITIES)).map(
    ([where, what]): Mutation =>
      (text) =>
        text.slice(0, at(text, where)) + what + text.slice(at(text, where)),
  ),
  fc.tuple(place, fc.nat(7)).map(
    ([where, bit]): Mutation =>
      (text) =>
        flipped(text, at(text, where), bit),
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 4 })).map(
    ([where, count]): Mutation =>
      (text) =>
        text.slice(0, at(text, where)) + text.slice(at(text, where) + count),
  ),
  place.map(
    (where): Mutation =>
      (text) =>
        withLineTwice(text, where),
  ),
  fc.tuple(place, fc.constantFrom("\n", "\r", "\r\r\n", "\n\r", "")).map(
    ([where, ending]): Mutation =>
      (text) =>
        withEnding(text, where, ending),
  ),
  fc
    .tuple(place, fc.constantFrom("0", "1", "4", "6", "05", "100", "ffffffffffffffff", "10000000000000005"))
    .map(
      ([where, number]): Mutation =>
        (text) =>
          withNumber(text, where, number),
    ),
);

function flipped(text: string, index: number, bit: number): string {
  if (index >= text.length) return text;
  return (
    text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ (1 << bit)) + text.slice(index + 1)
  );
}

function withLineTwice(text: string, where: number): string {
  const lines = text.split("\r\n");
  const index = where % lines.length;
  return [...lines.slice(0, index + 1), ...lines.slice(index)].join("\r\n");
}

function withEnding(text: string, where: number, ending: string): string {
  const lines = text.split("\r\n");
  if (lines.length < 2) return text;
  const index = 1 + (where % (lines.length - 1));
  return lines.slice(0, index).join("\r\n") + ending + lines.slice(index).join("\r\n");
}

function withNumber(text: string, where: number, number: string): string {
  const found = [...text.matchAll(/(?<=[:\n] ?)[0-9a-f]+(?=[\r;])/g)];
  const match = found[where % Math.max(1, found.length)];
  return match === undefined
    ? text
    : text.slice(0, match.index) + number + text.slice(match.index + match[0].length);
}

/** `{id}` stands for four characters that no other conversation has. One to three requests on one connection, and up to three things wrong with them. */
export const conversation: fc.Arbitrary<string> = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 3 }), fc.array(mutation, { maxLength: 3 }))
  .map(([requests, mutations]) => mutations.reduce((text, mutate) => mutate(text), requests.join("")));
