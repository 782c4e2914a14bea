import { get, HOST, inGroup, leniently, normalised, passed, refused } from "../case.ts";

/** RFC 9112 §2.2, §3. */
export const REQUEST_LINE = inGroup("request line", [
  passed("a plain GET (RFC 9112 §3)", get()),
  passed(
    "a path with every character that RFC 3986 lets it have",
    get("", "/{id}/a-._~!$&'()*+,;=:@%41/?q=/?:@"),
    {
      sees: { target: "/{id}/a-._~!$&'()*+,;=:@%41/?q=/?:@" },
    },
  ),
  passed("an empty query stays an empty query", get("", "/{id}?"), { sees: { target: "/{id}?" } }),
  passed("two slashes at the start of a path are no authority", get("", "//{id}/x"), {
    sees: { target: "//{id}/x" },
  }),
  passed("a percent-encoded CRLF stays encoded", get("", "/{id}?a=%0d%0aX-Injected:%201"), {
    sees: { target: "/{id}?a=%0d%0aX-Injected:%201", fields: { "x-injected": [] } },
  }),
  normalised("two spaces before the target (RFC 9112 §3)", get("", " /{id}"), /GET {2}/),
  normalised("two spaces behind the target (RFC 9112 §3)", get("", "/{id} "), /\/q\w+ {2}/),
  refused("a tab instead of a space (RFC 9112 §3)", `GET\t/{id} HTTP/1.1\r\n${HOST}\r\n`, leniently(/GET\t/)),
  refused("a space inside the target (RFC 9112 §3.2)", get("", "/{id} x")),
  refused(
    "a request line that ends with a space (RFC 9112 §3)",
    `GET /{id} HTTP/1.1 \r\n${HOST}\r\n`,
    leniently(/1\.1 \r\n/),
  ),
  refused(
    "a request line that ends in a bare LF (RFC 9112 §2.2)",
    `GET /{id} HTTP/1.1\n${HOST}\r\n`,
    leniently(/1\.1\n/),
  ),
  refused(
    "a request line that ends in a bare CR (RFC 9112 §2.2)",
    `GET /{id} HTTP/1.1\r${HOST}\r\n`,
    leniently(/1\.1\r[^\n]/),
  ),
  refused("a bare CR inside the target (RFC 9112 §2.2)", get("", "/{id}\rx")),
  refused("a NUL inside the target (RFC 9112 §3.2)", get("", "/{id}\0x")),
  refused("a DEL inside the target (RFC 9112 §3.2)", get("", "/{id}\x7fx")),
  refused("bytes above 127 in the target (RFC 3986 §2)", get("", "/{id}\xc3\xa9"), {
    may: ["refused", "normalised"],
  }),
  refused("a fragment in the target (RFC 9112 §3.2)", get("", "/{id}#part"), leniently(/#/)),
  refused("a backslash in the path, which some take for a slash (RFC 3986 §3.3)", get("", "/{id}\\..\\x")),
  refused("no target (RFC 9112 §3)", `GET HTTP/1.1\r\n${HOST}X-Case: /{id}\r\n\r\n`),
  refused("a target without a slash (RFC 9112 §3.2.1)", get("", "{id}")),
  refused("a lower-case method (RFC 9110 §9.1)", get("", "/{id}", "get"), { may: ["refused", "passed"] }),
  refused("a method that is no token (RFC 9110 §9.1)", get("", "/{id}", "GE(T")),
  refused("a space before the method (RFC 9112 §3)", ` ${get()}`),
  refused(
    "a lower-case protocol name (RFC 9112 §2.3)",
    `GET /{id} http/1.1\r\n${HOST}\r\n`,
    leniently(/http\/1/),
  ),
  refused("HTTP/1.2 (RFC 9110 §6.2)", `GET /{id} HTTP/1.2\r\n${HOST}\r\n`, {
    may: ["refused", "normalised"],
    doubt: /HTTP\/1\.2/,
  }),
  refused(
    "HTTP/2.0 in a request line of HTTP/1 (RFC 9112 §2.3)",
    `GET /{id} HTTP/2.0\r\n${HOST}\r\n`,
    leniently(/HTTP\/2/),
  ),
  refused("HTTP/0.9, spelt out (RFC 9112 §2.3)", `GET /{id} HTTP/0.9\r\n${HOST}\r\n`, leniently(/HTTP\/0/)),
  refused("HTTP/0.9, without a version (RFC 9112 §2.3)", "GET /{id}\r\n\r\n", leniently(/GET \S+\r\n/)),
  refused("HTTP/1.10 (RFC 9112 §2.3)", `GET /{id} HTTP/1.10\r\n${HOST}\r\n`, leniently(/1\.10/)),
  refused("HTTP/01.1 (RFC 9112 §2.3)", `GET /{id} HTTP/01.1\r\n${HOST}\r\n`, leniently(/01\.1/)),
  refused("two versions (RFC 9112 §3)", `GET /{id} HTTP/1.1 HTTP/1.1\r\n${HOST}\r\n`),
  refused("a preface of HTTP/2 (RFC 9113 §3.4)", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  refused("a request of RTSP", `DESCRIBE /{id} RTSP/1.0\r\n${HOST}\r\n`, { status: 501 }),
  refused("a request of Icecast", `SOURCE /{id} ICE/1.0\r\n${HOST}\r\n`, { status: 501 }),
  refused("a hello of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
  normalised(
    "empty lines before the request line (RFC 9112 §2.2)",
    `\r\n\r\n${get()}`,
    /^\r\n|\n\r\n\r\nGET/,
    {
      may: ["normalised", "refused"],
    },
  ),
  refused("a target of 64 KiB (RFC 9112 §3)", get("", `/{id}/${"a".repeat(65_536)}`), { status: 431 }),
  passed(
    "a target of 8000 bytes, which everybody should take (RFC 9112 §3)",
    get("", `/{id}/${"a".repeat(7_990)}`),
  ),
]);

export const TARGET_FORMS = inGroup("target forms", [
  normalised(
    "absolute-form becomes origin-form, and its authority the Host (RFC 9112 §3.2.2)",
    get("", "http://raw.test/{id}?q"),
    /GET http/,
    { may: ["normalised", "refused", "passed"], sees: { target: "/{id}?q", host: "raw.test" } },
  ),
  normalised(
    "absolute-form outranks a Host that says otherwise (RFC 9112 §3.2.2)",
    get("", "http://other.test/{id}"),
    /GET http/,
    { may: ["normalised", "refused"], sees: { target: "/{id}", host: "other.test" } },
  ),
  normalised(
    "absolute-form without a path (RFC 9112 §3.2.1)",
    get("X-Case: /{id}\r\n", "http://raw.test"),
    /GET http/,
    {
      may: ["normalised", "refused", "passed"],
      sees: { target: "/" },
    },
  ),
  normalised("absolute-form with a query and no path", get("", "http://raw.test?{id}"), /GET http/, {
    may: ["normalised", "refused", "passed"],
    sees: { target: "/?{id}" },
  }),
  normalised(
    "absolute-form with an upper-case scheme (RFC 3986 §3.1)",
    get("", "HTTP://raw.test/{id}"),
    /GET http/i,
    {
      may: ["normalised", "refused", "passed"],
      sees: { target: "/{id}" },
    },
  ),
  normalised(
    "absolute-form keeps dot segments as they are",
    get("", "http://raw.test/a/../{id}"),
    /GET http/,
    {
      may: ["normalised", "refused", "passed"],
      sees: { target: "/a/../{id}" },
    },
  ),
  refused("absolute-form without an authority (RFC 9110 §4.2.1)", get("", "http:///{id}")),
  refused(
    "absolute-form with a user (RFC 9110 §4.2.4)",
    get("", "http://user@raw.test/{id}"),
    leniently(/@/),
  ),
  refused(
    "absolute-form with an empty user (RFC 9110 §4.2.4)",
    get("", "http://@raw.test/{id}"),
    leniently(/@/),
  ),
  refused(
    "absolute-form with a backslash behind its authority",
    get("", "http://raw.test\\@other.test/{id}"),
  ),
  refused("absolute-form with a percent-encoded authority", get("", "http://raw%2etest/{id}")),
  refused("absolute-form with a port that is no number", get("", "http://raw.test:8o/{id}")),
  refused(
    "absolute-form with a fragment (RFC 9112 §3.2)",
    get("", "http://raw.test/{id}#part"),
    leniently(/#/),
  ),
  refused(
    "absolute-form of another scheme (RFC 9110 §7.4)",
    get("", "ftp://raw.test/{id}"),
    leniently(/ftp:/),
  ),
  refused("absolute-form with one slash", get("", "http:/raw.test/{id}")),
  refused("absolute-form with two Host lines (RFC 9112 §3.2)", get(HOST, "http://raw.test/{id}")),
  refused("asterisk-form with GET (RFC 9112 §3.2.4)", get("X-Case: /{id}\r\n", "*")),
  refused(
    "asterisk-form with OPTIONS, which asks nobody in particular (RFC 9112 §3.2.4)",
    get("X-Case: /{id}\r\n", "*", "OPTIONS"),
    {
      may: ["refused", "passed", "normalised"],
    },
  ),
  refused("authority-form with GET (RFC 9112 §3.2.3)", get("X-Case: /{id}\r\n", "raw.test:80")),
  refused("CONNECT to the region (RFC 9110 §9.3.6)", get("X-Case: /{id}\r\n", "raw.test:80", "CONNECT"), {
    status: 501,
    may: ["refused", "passed"],
  }),
  refused("CONNECT to somewhere else", get("X-Case: /{id}\r\n", "127.0.0.1:22", "CONNECT"), { status: 501 }),
  refused("CONNECT with a path", get("", "/{id}", "CONNECT"), { status: 501 }),
]);

const noHost = (lines: string): string => `GET /{id} HTTP/1.1\r\n${lines}\r\n`;
const named = (host: string): string => noHost(`Host: ${host}\r\n`);

/** RFC 9112 §3.2 and RFC 9110 §7.2. */
export const HOSTS = inGroup("Host", [
  refused("no Host in HTTP/1.1 (RFC 9112 §3.2)", noHost("")),
  refused("two Host lines (RFC 9112 §3.2)", noHost("Host: raw.test\r\nHost: other.test\r\n")),
  refused("two Host lines that say the same (RFC 9112 §3.2)", noHost("Host: raw.test\r\nHost: raw.test\r\n")),
  refused(
    "two Host lines, one in capitals (RFC 9112 §3.2)",
    noHost("host: raw.test\r\nHOST: other.test\r\n"),
  ),
  refused("an empty Host (RFC 9110 §4.2.1)", named(""), { may: ["refused", "passed", "normalised"] }),
  refused("a Host with a space (RFC 9112 §3.2)", named("raw.test other.test")),
  refused("a Host with a tab (RFC 9112 §3.2)", named("raw.test\tother.test")),
  refused("a Host with a comma, which some take for a list", named("raw.test,other.test"), {
    may: ["refused", "passed"],
  }),
  refused("a Host with a user (RFC 9110 §4.2.4)", named("user@raw.test")),
  refused("a Host with a path (RFC 9112 §3.2)", named("raw.test/other")),
  refused("a Host with a query (RFC 9112 §3.2)", named("raw.test?other")),
  refused("a Host with a fragment (RFC 9112 §3.2)", named("raw.test#other")),
  refused("a Host with a backslash (RFC 9112 §3.2)", named("raw.test\\other")),
  refused("a Host with a scheme (RFC 9112 §3.2)", named("http://raw.test")),
  refused("a Host with quotes (RFC 9112 §3.2)", named('"raw.test"')),
  refused("a Host with markup, which ends in somebody's page", named("raw.test<script>")),
  refused("a Host with bytes above 127 (RFC 9112 §3.2)", named("r\xe4w.test")),
  refused("a Host whose port is no number (RFC 9112 §3.2)", named("raw.test:8o")),
  refused("a Host whose port is too large", named("raw.test:65536"), { may: ["refused", "passed"] }),
  refused("a Host with two ports (RFC 9112 §3.2)", named("raw.test:80:81")),
  refused("a Host that is a half IPv6 address (RFC 3986 §3.2.2)", named("[::1")),
  refused("a Host with a percent-encoded dot", named("raw%2etest"), { may: ["refused", "passed"] }),
  passed("a Host with a port", named("raw.test:8443"), { sees: { host: "raw.test:8443" } }),
  passed("a Host that is an IPv6 address with a port", named("[::1]:8080"), { sees: { host: "[::1]:8080" } }),
  passed("a Host with an underscore, which names inside a house have", named("raw_a.test")),
  passed("a Host in capitals (RFC 9110 §4.2.3)", named("RAW.TEST")),
  passed("a Host with white space around it (RFC 9112 §5)", noHost("Host: \t raw.test \t \r\n")),
  refused("a Host behind white space, as of a folded line (RFC 9112 §2.2)", noHost(" Host: raw.test\r\n")),
  refused(
    "a Host in a second line, folded (RFC 9112 §5.2)",
    noHost("Host:\r\n raw.test\r\n"),
    leniently(/host:\r\n/i),
  ),
  passed(
    "a host that only X-Forwarded-Host says is nobody's",
    noHost("Host: raw.test\r\nX-Forwarded-Host: other.test\r\n"),
    {
      sees: { host: "raw.test", fields: { "x-forwarded-host": ["raw.test"] } },
    },
  ),
]);
