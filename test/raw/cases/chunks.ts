import {
  CHUNKED,
  chunk,
  inGroup,
  leniently,
  normalised,
  passed,
  post,
  refused,
  SMUGGLED,
  waits,
} from "../case.ts";

const body = (chunks: string): string => post(CHUNKED, chunks);
const END = "0\r\n\r\n";

/** The body was under way when it turned out to be none: the connection ends, and whether a status comes depends on when. */
const LATE = { status: null } as const;

/** RFC 9112 §7.1. */
export const CHUNKS = inGroup("chunks", [
  passed("several chunks (RFC 9112 §7.1)", body(`${chunk("12")}${chunk("345")}${END}`), {
    sees: { body: "12345" },
  }),
  passed("sizes in either case (RFC 9112 §7.1)", body(`A\r\n1234567890\r\na\r\n1234567890\r\n${END}`), {
    sees: { body: "12345678901234567890" },
  }),
  passed("no chunk but the last", body(END), { sees: { body: "" } }),
  passed("a chunk that looks like a request stays a chunk", body(chunk(SMUGGLED) + END), {
    sees: { body: SMUGGLED },
  }),
  normalised(
    "a last chunk of several zeros (RFC 9112 §7.1)",
    body(`${chunk("12345")}000\r\n\r\n`),
    /\n000\r\n/,
    {
      may: ["normalised", "passed", "refused"],
    },
  ),
  normalised("a size with leading zeros", body(`0000000000000000005\r\n12345\r\n${END}`), /0{5}5/, {
    may: ["normalised", "passed", "refused"],
    sees: { body: "12345" },
  }),
  waits("a body without its last chunk", body(chunk("12345"))),
  waits("a chunk that is shorter than its size", body("50\r\n12345")),
  normalised("an extension (RFC 9112 §7.1.1)", body(`5;name=value\r\n12345\r\n${END}`), /name=value/, {
    may: ["normalised", "refused"],
    sees: { body: "12345" },
  }),
  normalised(
    "an extension in quotes, with a CRLF's letters in it",
    body(`5;a="\\"x"\r\n12345\r\n${END}`),
    /;a=/,
    {
      may: ["normalised", "refused"],
      sees: { body: "12345" },
    },
  ),
  refused("an extension with a bare LF in it (TERM.EXT)", body(`5;a\n12345\r\n${END}`), {
    ...LATE,
    ...leniently(/;a/),
  }),
  refused("an extension with a bare CR in it", body(`5;a\rb\r\n12345\r\n${END}`), {
    ...LATE,
    ...leniently(/;a/),
  }),
  refused("an extension with a CR, quoted", body(`5;a="\rb"\r\n12345\r\n${END}`), {
    ...LATE,
    ...leniently(/;a/),
  }),
  refused("an extension with a NUL in it", body(`5;a\0b\r\n12345\r\n${END}`), {
    ...LATE,
    ...leniently(";a"),
  }),
  refused("an extension without a name", body(`5;\r\n12345\r\n${END}`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /5;/,
  }),
  refused("an extension of 64 KiB (CVE-2024-22019)", body(`5;a=${"a".repeat(65_536)}\r\n12345\r\n${END}`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /;a=a/,
  }),
  refused("a size that ends in a bare LF (RFC 9112 §2.2)", body(`5\n12345\r\n${END}`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /5\n1/,
  }),
  refused("a size that ends in a bare CR", body(`5\r12345\r\n${END}`), LATE),
  refused("a chunk that ends in a bare LF", body(`5\r\n12345\n${END}`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /5\n0/,
  }),
  refused("a chunk that does not end (EXT.TERM)", body(`5\r\n12345${END}`), LATE),
  refused("a chunk that is longer than its size", body(`3\r\n12345\r\n${END}`), LATE),
  refused("a chunk that ends in other two bytes than CRLF", body(`5\r\n12345xx${END}`), LATE),
  refused("a last chunk that ends in bare LFs", body(`${chunk("12345")}0\n\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /0\n\n/,
  }),
  refused("trailers that end in a bare LF", body(`${chunk("12345")}0\r\n\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /0\r\n\n/,
  }),
  refused("a size in 0x (RFC 9112 §7.1)", body(`0x5\r\n12345\r\n${END}`), LATE),
  refused("a size with a plus", body(`+5\r\n12345\r\n${END}`), LATE),
  refused("a size with a minus", body(`-5\r\n12345\r\n${END}`), LATE),
  refused("a size with an underscore", body(`1_0\r\n1234567890123456\r\n${END}`), LATE),
  refused("a space before a size", body(` 5\r\n12345\r\n${END}`), LATE),
  refused("a space behind a size", body(`5 \r\n12345\r\n${END}`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /5 \r\n/,
  }),
  refused("a tab behind a size", body(`5\t\r\n12345\r\n${END}`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /5\t\r\n/,
  }),
  refused("no size", body(`\r\n12345\r\n${END}`), LATE),
  refused("a size that is no number", body(`five\r\n12345\r\n${END}`), LATE),
  refused("a size of 2^64 + 5 (integer overflow)", body(`10000000000000005\r\n12345\r\n${END}`), LATE),
  waits("a size of 2^32 + 5, which 32 bits take for 5", body(`100000005\r\n12345\r\n${END}${SMUGGLED}`)),
  refused("a NUL behind a size", body(`5\0\r\n12345\r\n${END}`), LATE),
  refused("a semicolon before a size", body(`;a\r\n5\r\n12345\r\n${END}`), LATE),
]);

/** RFC 9110 §6.5, RFC 9112 §7.1.2. */
export const TRAILERS = inGroup("trailers", [
  normalised(
    "trailers are dropped (RFC 9112 §7.1.2)",
    body(`${chunk("12345")}0\r\nX-Sum: 1\r\n\r\n`),
    /x-sum/i,
    {
      may: ["normalised", "passed", "refused"],
      sees: { body: "12345" },
    },
  ),
  normalised(
    "a trailer does not become a header (RFC 9110 §6.5.1)",
    body(`${chunk("12345")}0\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: a\r\n\r\n`),
    /6\.6\.6\.6/,
    {
      may: ["normalised", "refused", "passed"],
    },
  ),
  refused("a coding in the trailers (RFC 9110 §6.5.1)", body(`${chunk("12345")}0\r\n${CHUNKED}\r\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /transfer-encoding: chunked\r\n\r\n$/i,
  }),
  refused("a trailer without a colon", body(`${chunk("12345")}0\r\nX Sum\r\n\r\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /X Sum/,
  }),
  refused("a trailer with a NUL", body(`${chunk("12345")}0\r\nX-Sum: a\0\r\n\r\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: "a\0",
  }),
  refused("a trailer that is folded", body(`${chunk("12345")}0\r\nX-Sum: 1\r\n 2\r\n\r\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /1\r\n 2/,
  }),
  refused("trailers of 64 KiB", body(`${chunk("12345")}0\r\nX-Sum: ${"a".repeat(65_536)}\r\n\r\n`), {
    ...LATE,
    may: ["refused", "normalised"],
    doubt: /aaaa/,
  }),
  refused("a request where trailers should be", body(`${chunk("12345")}0\r\n${SMUGGLED}`), {
    ...LATE,
    ...leniently(/smuggled/),
  }),
]);
