import { get, HOST, inGroup, leniently, passed, refused, sized, waits } from "../case.ts";

const many = (count: number): string =>
  Array.from({ length: count }, (_, index) => `X-${index}: 1\r\n`).join("");

/** RFC 9112 §5 and RFC 9110 §5. */
export const FIELDS = inGroup("header fields", [
  passed("a field whose value is empty (RFC 9110 §5.5)", get("X-Empty:\r\n"), {
    sees: { fields: { "x-empty": [""] } },
  }),
  passed("white space around a value is not part of it (RFC 9112 §5.1)", get("X-Wide: \t a \t \r\n"), {
    sees: { fields: { "x-wide": ["a"] } },
  }),
  passed("bytes above 127 in a value (RFC 9110 §5.5)", get("X-Text: caf\xe9\r\n"), {
    sees: { fields: { "x-text": ["caf\xe9"] } },
  }),
  passed("repeated lines keep their order (RFC 9110 §5.3)", get("X-List: 1\r\nX-Other: 2\r\nX-List: 3\r\n"), {
    sees: { fields: { "x-list": ["1", "3"] } },
  }),
  passed("a name of every character that a token may have (RFC 9110 §5.6.2)", get("X!#$%&'*+.^`|~: 1\r\n")),
  refused("a space before the colon (RFC 9112 §5.1)", get("X-Name : 1\r\n")),
  refused("a tab before the colon (RFC 9112 §5.1)", get("X-Name\t: 1\r\n")),
  refused(
    "a space before the colon of Content-Length (CVE-2024-27982)",
    sized("12345").replace("th:", "th :"),
  ),
  refused("a space before the colon of Transfer-Encoding", get("Transfer-Encoding : chunked\r\n")),
  refused("white space before the first field (RFC 9112 §2.2)", `GET /{id} HTTP/1.1\r\n X: 1\r\n${HOST}\r\n`),
  refused("a folded value (RFC 9112 §5.2)", get("X-Folded: 1\r\n 2\r\n"), {
    may: ["refused", "normalised"],
    doubt: /1\r\n 2/,
  }),
  refused("a value folded with a tab (RFC 9112 §5.2)", get("X-Folded: 1\r\n\t2\r\n"), {
    may: ["refused", "normalised"],
    doubt: /1\r\n\t2/,
  }),
  refused("a name without a colon (RFC 9112 §5)", get("X-Name\r\n"), leniently(/X-Name\r/)),
  refused("an empty name (RFC 9110 §5.1)", get(": 1\r\n"), leniently(/\n: 1/)),
  refused("a space inside a name (RFC 9110 §5.1)", get("X Name: 1\r\n"), leniently(/X Name/)),
  refused("a NUL in a name (RFC 9110 §5.1)", get("X-Na\0me: 1\r\n"), leniently("X-Na\0me")),
  refused("a parenthesis in a name (RFC 9110 §5.1)", get("X(Name: 1\r\n"), leniently(/X\(Name/)),
  refused("quotes around a name (RFC 9110 §5.1)", get('"X-Name": 1\r\n'), leniently(/"X-Name"/)),
  refused("bytes above 127 in a name (RFC 9110 §5.1)", get("X-N\xe4me: 1\r\n"), leniently(/X-N\xe4me/i)),
  refused("a NUL in a value (RFC 9110 §5.5)", get("X-Name: a\0b\r\n"), leniently("a\0b")),
  refused("a control character in a value (RFC 9110 §5.5)", get("X-Name: a\x01b\r\n"), {
    may: ["refused", "normalised", "passed"],
    doubt: "a\x01b",
  }),
  refused("a DEL in a value (RFC 9110 §5.5)", get("X-Name: a\x7fb\r\n"), {
    may: ["refused", "normalised", "passed"],
    doubt: "a\x7fb",
  }),
  refused("a vertical tab in a value (RFC 9110 §5.5)", get("X-Name: a\x0bb\r\n"), {
    may: ["refused", "normalised", "passed"],
    doubt: "a\x0bb",
  }),
  refused(
    "a bare CR in a value (RFC 9112 §2.2, CVE-2023-30589)",
    get("X-Name: a\rX-Injected: 1\r\n"),
    leniently(/a\rX/),
  ),
  refused("a bare LF at a value's end (RFC 9112 §2.2)", get("X-Name: a\nX-Injected: 1\r\n"), {
    may: ["refused", "normalised"],
    doubt: /a\nX/,
  }),
  refused("a bare LF at the head's end (RFC 9112 §2.2)", `GET /{id} HTTP/1.1\r\n${HOST}\n`, {
    may: ["refused", "normalised"],
    doubt: /[^\r]\n\n/,
  }),
  refused("CR CR LF at a value's end (RFC 9112 §2.2)", get("X-Name: a\r\r\n"), leniently(/a\r\r\n/)),
  refused("a head of 64 KiB (RFC 6585 §5)", get(`X-Big: ${"a".repeat(65_536)}\r\n`), { status: 431 }),
  refused("a name of 64 KiB (RFC 6585 §5)", get(`X-${"a".repeat(65_536)}: 1\r\n`), { status: 431 }),
  refused("2500 header lines (RFC 6585 §5)", get(many(2_500)), { status: 431 }),
  refused(
    "1100 header lines, the last of which is not lost silently (CVE-2026-58044)",
    get(`${many(1_100)}X-Last: 1\r\n`),
    {
      status: 431,
      may: ["refused", "passed"],
    },
  ),
  passed("80 header lines all arrive", get(`${many(80)}X-Last: 1\r\n`), {
    may: ["passed", "refused"],
    sees: { fields: { "x-last": ["1"] } },
  }),
  refused(
    "two Authorization lines, which could name two users (RFC 9110 §5.3)",
    get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
    { may: ["refused", "passed"] },
  ),
  waits("a head that ends in the middle of a field is no request yet", `GET /{id} HTTP/1.1\r\n${HOST}X-Half`),
  passed("two Cookie lines, as HTTP/2 cuts them (RFC 9113 §8.2.3)", get("Cookie: a=1\r\nCookie: b=2\r\n")),
]);
