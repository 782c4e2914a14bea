import {
  CHUNKED,
  chunk,
  chunked,
  get,
  HOST,
  inGroup,
  leniently,
  normalised,
  passed,
  post,
  refused,
  SMUGGLED,
  sized,
  waits,
} from "../case.ts";

const length = (value: string, body = "12345"): string => post(`Content-Length: ${value}\r\n`, body);

/** RFC 9112 §6.2, §6.3. */
export const CONTENT_LENGTH = inGroup("Content-Length", [
  passed("a body of the length that is said (RFC 9112 §6.2)", sized("12345"), { sees: { body: "12345" } }),
  passed("a length of 0", sized(""), { sees: { body: "" } }),
  passed("a body that looks like a request stays a body", sized(SMUGGLED), { sees: { body: SMUGGLED } }),
  waits("a body that is shorter than is said", length("50", SMUGGLED.slice(0, 20))),
  refused(
    "two lengths that differ (RFC 9112 §6.3)",
    post("Content-Length: 5\r\nContent-Length: 0\r\n", `12345${SMUGGLED}`),
  ),
  refused(
    "two lengths that differ, the right one last (RFC 9112 §6.3)",
    post("Content-Length: 0\r\nContent-Length: 5\r\n", "12345"),
  ),
  refused(
    "two lengths that are the same (RFC 9112 §6.3)",
    post("Content-Length: 5\r\nContent-Length: 5\r\n", "12345"),
    {
      may: ["refused", "normalised"],
      doubt: /content-length[\s\S]*content-length/i,
    },
  ),
  refused("a list of lengths that are the same (RFC 9110 §8.6)", length("5, 5"), {
    may: ["refused", "normalised"],
    doubt: /5, 5/,
  }),
  refused("a list of lengths that differ (RFC 9110 §8.6)", length("5, 0")),
  refused("a length with a plus (RFC 9110 §8.6)", length("+5")),
  refused("a length with a minus (RFC 9110 §8.6)", length("-5")),
  refused("a length in hex (RFC 9110 §8.6)", length("0x5")),
  refused("a length with a fraction (RFC 9110 §8.6)", length("5.0")),
  refused("a length with an exponent (RFC 9110 §8.6)", length("5e0")),
  refused("a length with an underscore", length("1_0", "1234567890")),
  refused("two numbers with a space between them (RFC 9110 §8.6)", length("5 0")),
  refused("a length that is empty (RFC 9110 §8.6)", length("", "")),
  refused("a length in quotes (RFC 9110 §8.6)", length('"5"')),
  refused("a length of other digits than ASCII's (RFC 9110 §8.6)", length("\xb2\xb5")),
  refused("a length with a NUL", length("5\0")),
  refused("a length behind a vertical tab", length("\x0b5")),
  refused(
    "a length beyond 2^53, which floating point makes another (RFC 9110 §8.6)",
    length("10000000000000005"),
    {
      status: 413,
      may: ["refused", "waits", "passed"],
    },
  ),
  refused("a length beyond 64 bits (RFC 9110 §8.6)", length("18446744073709551621")),
  refused("a length beyond 128 bits (RFC 9110 §8.6)", length("340282366920938463463374607431768211461")),
  refused("a length that is folded (RFC 9112 §5.2)", length("\r\n 5"), leniently(/length:\r\n/i)),
  refused(
    "a folded line that some take for a length (RFC 9112 §5.2)",
    post("X-Fold: 1\r\n Content-Length: 5\r\n", "12345"),
    {
      may: ["refused", "normalised"],
      doubt: /\r\n content-length/i,
    },
  ),
  normalised("leading zeros", length("0005"), /0005/, {
    may: ["refused", "normalised", "passed"],
    sees: { body: "12345" },
  }),
  passed("white space around a length (RFC 9112 §5.1)", length(" \t5\t "), { sees: { body: "12345" } }),
  normalised(
    "Content_Length, which CGI cannot tell from Content-Length",
    post("Content_Length: 40\r\nContent-Length: 5\r\n", "12345"),
    /content_length/i,
    {
      may: ["normalised", "refused", "passed"],
      sees: { body: "12345" },
    },
  ),
]);

const coding = (value: string, more = ""): string =>
  post(`Transfer-Encoding: ${value}\r\n${more}`, `${chunk("12345")}0\r\n\r\n`);

/** RFC 9112 §6.1, §7. */
export const TRANSFER_ENCODING = inGroup("Transfer-Encoding", [
  passed("chunked (RFC 9112 §7.1)", chunked("12345"), { sees: { body: "12345" } }),
  normalised("Chunked in another case (RFC 9112 §7)", coding("cHuNkEd"), /cHuNkEd/, {
    may: ["normalised", "passed", "refused"],
    sees: { body: "12345" },
  }),
  passed("white space before chunked (RFC 9112 §5.1)", coding(" \t chunked"), { sees: { body: "12345" } }),
  refused(
    "white space behind chunked, which Node's parser does not forgive (RFC 9112 §5.1)",
    coding("chunked \t "),
    {
      may: ["passed", "normalised", "refused"],
    },
  ),
  refused("a coding that nobody knows (RFC 9112 §6.1)", coding("xyz"), { status: 501 }),
  refused("xchunked", coding("xchunked"), { status: 501 }),
  refused("chunkedx", coding("chunkedx"), { status: 501 }),
  refused("a coding before chunked that the edge does not undo (RFC 9112 §6.1)", coding("gzip, chunked"), {
    status: 501,
  }),
  refused("chunked that is not the last coding (RFC 9112 §6.3)", coding("chunked, gzip")),
  refused("chunked twice (RFC 9112 §6.1)", coding("chunked, chunked")),
  refused("chunked in two lines (RFC 9112 §6.1)", coding("chunked", CHUNKED)),
  refused("identity, which is no coding any more (RFC 9112 §7)", coding("identity"), { status: 501 }),
  refused("identity and chunked in two lines", coding("identity", CHUNKED), { status: 501 }),
  refused("chunked and identity in two lines", coding("chunked", "Transfer-Encoding: identity\r\n")),
  refused("identity, chunked in a list", coding("identity, chunked"), { status: 501 }),
  refused("an empty member before chunked", coding(", chunked"), {
    status: 501,
    may: ["refused", "normalised"],
    doubt: /, chunked/,
  }),
  refused("an empty member behind chunked", coding("chunked,"), {
    may: ["refused", "normalised"],
    doubt: /chunked,/,
  }),
  refused("no coding (RFC 9112 §6.1)", coding("")),
  refused("chunked in quotes", coding('"chunked"'), { status: 501 }),
  refused("chunked with a parameter (RFC 9112 §7.1)", coding("chunked;q=1"), { status: 501 }),
  refused("chunked behind a vertical tab", coding("\x0bchunked")),
  refused("chunked behind a form feed", coding("\x0cchunked")),
  refused("chunked behind a no-break space", coding("\xa0chunked"), { status: 501 }),
  refused("chunked with a NUL behind it", coding("chunked\0")),
  refused("chunked with a bare CR behind it", coding("chunked\r"), leniently(/chunked\r\r/)),
  refused("chunked in a folded line (RFC 9112 §5.2)", coding("\r\n chunked"), leniently(/encoding:\r\n/i)),
  refused("chunked spread over folded lines (RFC 9112 §5.2)", coding("chun\r\n ked")),
  refused(
    "a folded line that some take for a coding (RFC 9112 §5.2)",
    sized("12345").replace(HOST, `${HOST}X-Fold: 1\r\n Transfer-Encoding: chunked\r\n`),
    {
      may: ["refused", "normalised"],
      doubt: /\r\n transfer-encoding/i,
    },
  ),
  refused(
    "Transfer-Encoding with a NUL in its name",
    sized("12345", "POST", "Transfer-Enc\0oding: chunked\r\n"),
  ),
  normalised(
    "Transfer_Encoding, which CGI cannot tell from Transfer-Encoding",
    sized("12345", "POST", "Transfer_Encoding: chunked\r\n"),
    /transfer_encoding/i,
    {
      may: ["normalised", "refused", "passed"],
      sees: { body: "12345" },
    },
  ),
  passed("a coding that only TE wishes for (RFC 9110 §10.1.4)", get("TE: trailers, gzip\r\n"), {
    sees: { fields: { te: [] } },
  }),
]);

const SHORT = "0\r\n\r\n";
/** RFC 9112 §6.3: by the coding alone, without the length, and then the connection ends. */
const BY_CODING = leniently(/content-length:[^\r]+\r\n(?:[^\r]+\r\n)*transfer-encoding/i, {
  closesAnyway: true,
});

/** RFC 9112 §6.3 rule 3: the classic. */
export const BOTH = inGroup("Content-Length with Transfer-Encoding", [
  refused(
    "CL.TE: a length that covers a smuggled request (RFC 9112 §6.3)",
    post(`Content-Length: ${(SHORT + SMUGGLED).length}\r\n${CHUNKED}`, SHORT + SMUGGLED),
    BY_CODING,
  ),
  refused(
    "TE.CL: a chunk that covers a smuggled request (RFC 9112 §6.3)",
    post(`Content-Length: 4\r\n${CHUNKED}`, `${chunk(SMUGGLED)}${SHORT}`),
    BY_CODING,
  ),
  refused("TE before CL (RFC 9112 §6.3)", post(`${CHUNKED}Content-Length: 5\r\n`, SHORT), BY_CODING),
  refused(
    "CL of 0 and TE (RFC 9112 §6.3)",
    post(`Content-Length: 0\r\n${CHUNKED}`, SHORT + SMUGGLED),
    BY_CODING,
  ),
  refused(
    "CL that is right, and TE (RFC 9112 §6.3)",
    post(`Content-Length: ${SHORT.length}\r\n${CHUNKED}`, SHORT),
    BY_CODING,
  ),
  refused(
    "CL and a coding that nobody knows (RFC 9112 §6.3)",
    post("Content-Length: 5\r\nTransfer-Encoding: xyz\r\n", "12345"),
  ),
  refused("CL and identity", post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "12345")),
  refused("CL and an empty coding", post("Content-Length: 5\r\nTransfer-Encoding:\r\n", "12345")),
  refused(
    "CL and chunked behind a vertical tab",
    post("Content-Length: 5\r\nTransfer-Encoding: \x0bchunked\r\n", SHORT),
  ),
  refused(
    "CL, and TE with a space before its colon",
    post(`Content-Length: 5\r\nTransfer-Encoding : chunked\r\n`, SHORT),
  ),
  refused(
    "CL, and TE behind a bare LF",
    post("Content-Length: 5\r\nX: 1\nTransfer-Encoding: chunked\r\n", SHORT),
    BY_CODING,
  ),
  refused(
    "CL, and TE behind a bare CR",
    post("Content-Length: 5\r\nX: 1\rTransfer-Encoding: chunked\r\n", SHORT),
  ),
  refused(
    "CL and TE on GET",
    get(`Content-Length: ${SMUGGLED.length}\r\n${CHUNKED}`) + SHORT + SMUGGLED,
    BY_CODING,
  ),
  refused(
    "CL and TE, one of them named in Connection",
    post(`Content-Length: 5\r\n${CHUNKED}Connection: Content-Length\r\n`, SHORT),
    BY_CODING,
  ),
  refused(
    "a length in the trailers (RFC 9110 §6.5.1)",
    post(CHUNKED, `${chunk("12345")}0\r\nContent-Length: 40\r\n\r\n`),
    {
      status: null,
      may: ["refused", "normalised"],
      doubt: /content-length: 40/i,
    },
  ),
]);
