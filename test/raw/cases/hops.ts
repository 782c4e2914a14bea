import {
  CHUNKED,
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
} from "../case.ts";

/** RFC 9110 §7.6.1. */
export const CONNECTION = inGroup("Connection", [
  passed("what Connection names does not go on", get("Connection: X-Hop\r\nX-Hop: 1\r\nX-Stays: 2\r\n"), {
    sees: { fields: { "x-hop": [], "x-stays": ["2"] } },
  }),
  passed(
    "names in another case, in a list, in several lines",
    get("Connection: a, X-HOP ,\r\nConnection: x-two\r\nX-Hop: 1\r\nx-Two: 2\r\n"),
    {
      sees: { fields: { "x-hop": [], "x-two": [] } },
    },
  ),
  passed("naming Host takes no Host away", get("Connection: Host\r\n"), { sees: { host: "raw.test" } }),
  passed(
    "naming Content-Length unframes no body",
    sized(SMUGGLED, "POST", "Connection: Content-Length\r\n"),
    {
      may: ["passed", "normalised", "refused"],
      sees: { body: SMUGGLED },
    },
  ),
  passed(
    "naming Transfer-Encoding unframes no body",
    post(`${CHUNKED}Connection: Transfer-Encoding\r\n`, "5\r\n12345\r\n0\r\n\r\n"),
    {
      may: ["passed", "normalised", "refused"],
      sees: { body: "12345" },
    },
  ),
  passed(
    "naming what the edge adds takes nothing of it away",
    get("Connection: X-Forwarded-For, Via, X-Request-Id, X-Meridian-Edge, Traceparent\r\n"),
    {
      sees: {
        fields: {
          "x-forwarded-for": ["127.0.0.1"],
          via: ["1.1 meridian-edge-under-test"],
          "x-meridian-edge": ["edge-under-test"],
        },
      },
    },
  ),
  passed(
    "naming Cookie takes it from the region too, as the RFC says",
    get("Connection: Cookie\r\nCookie: a=1\r\n"),
    {
      sees: { fields: { cookie: [] } },
    },
  ),
  passed(
    "Keep-Alive and Proxy-Connection end here",
    get("Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n"),
    {
      sees: { fields: { "keep-alive": [], "proxy-connection": [] } },
    },
  ),
  passed("Proxy-Authorization ends here (RFC 9110 §11.7.2)", get("Proxy-Authorization: Basic eDp5\r\n"), {
    sees: { fields: { "proxy-authorization": [] } },
  }),
  passed("TE and Trailer end here (RFC 9110 §7.6.1)", get("TE: trailers\r\nTrailer: X-Sum\r\n"), {
    sees: { fields: { te: [], trailer: [] } },
  }),
  passed(
    "Upgrade and HTTP2-Settings end here (RFC 9110 §7.8)",
    get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
    {
      sees: { fields: { upgrade: [], "http2-settings": [] } },
    },
  ),
  passed("Connection: close ends the client's connection, not the region's", get("Connection: close\r\n"), {
    closes: "client",
  }),
  passed("close in a list and in capitals", get("Connection: x, CLOSE\r\n"), { closes: "client" }),
]);

/** What a stranger says about the way here (docs/configuration.md, `listen.trustedProxies`). */
export const SPOOFING = inGroup("spoofed headers", [
  passed(
    "X-Forwarded-*",
    get(
      "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\n",
    ),
    {
      sees: {
        fields: {
          "x-forwarded-for": ["127.0.0.1"],
          "x-forwarded-proto": ["http"],
          "x-forwarded-host": ["raw.test"],
          "x-forwarded-port": ["80"],
        },
      },
    },
  ),
  passed(
    "other names that begin with X-Forwarded-",
    get(
      "X-Forwarded-Prefix: /x\r\nX-Forwarded-Server: evil\r\nX-Forwarded-Uri: /x\r\nX-Forwarded-Ssl: on\r\n",
    ),
    {
      sees: {
        fields: {
          "x-forwarded-prefix": [],
          "x-forwarded-server": [],
          "x-forwarded-uri": [],
          "x-forwarded-ssl": [],
        },
      },
    },
  ),
  passed(
    "Forwarded, Via and X-Real-IP",
    get("Forwarded: for=6.6.6.6\r\nVia: 1.1 evil\r\nX-Real-IP: 6.6.6.6\r\n"),
    {
      sees: { fields: { forwarded: [], via: ["1.1 meridian-edge-under-test"], "x-real-ip": [] } },
    },
  ),
  passed(
    "the client's address by its other names",
    get("X-Client-IP: 6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nX-Cluster-Client-IP: 6.6.6.6\r\n"),
    {
      sees: { fields: { "x-client-ip": [], "true-client-ip": [], "x-cluster-client-ip": [] } },
    },
  ),
  passed(
    "X-Original-URL and X-Rewrite-URL, which some take for the target",
    get("X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n"),
    {
      sees: { fields: { "x-original-url": [], "x-rewrite-url": [] } },
    },
  ),
  passed(
    "X-Meridian-*",
    get(
      "X-Meridian-Edge: evil\r\nX-Meridian-Principal: root\r\nX-Meridian-Write-Epoch: 9\r\nX-MERIDIAN-New: 1\r\n",
    ),
    {
      sees: {
        fields: {
          "x-meridian-edge": ["edge-under-test"],
          "x-meridian-principal": [],
          "x-meridian-write-epoch": [],
          "x-meridian-new": [],
        },
      },
    },
  ),
  passed(
    "the same with underscores, which CGI cannot tell apart",
    get("X_Forwarded_For: 6.6.6.6\r\nX_Meridian-Principal: root\r\nX_Real_IP: 6.6.6.6\r\n"),
    {
      sees: { fields: { x_forwarded_for: [], "x_meridian-principal": [], x_real_ip: [] } },
    },
  ),
  passed(
    "the same with dots and other signs, which some make underscores of",
    get("X.Forwarded.For: 6.6.6.6\r\nX-Meridian!Principal: root\r\n"),
    {
      sees: { fields: { "x.forwarded.for": [], "x-meridian!principal": [] } },
    },
  ),
  passed(
    "X-Request-Id and Traceparent",
    get("X-Request-Id: chosen\r\nTraceparent: 00-1-1-00\r\nTracestate: a=b\r\n"),
    {
      sees: { fields: { tracestate: [] } },
    },
  ),
  passed("an underscore in a name that says nothing of the way here stays", get("My_Own: 1\r\n"), {
    sees: { fields: { my_own: ["1"] } },
  }),
]);

const old = (lines: string, method = "GET", body = ""): string =>
  `${method} /{id} HTTP/1.0\r\n${lines}\r\n${body}`;

/** RFC 9112 §6.1: it may be processed, but the connection is not to be trusted. */
const FAULTY = leniently(/\/q\w+ HTTP\/1\.0/, { closesAnyway: true });

/** RFC 9112 §2.3, §6.1, appendix C. */
export const OLD = inGroup("HTTP/1.0", [
  passed("without a Host", old(""), { closes: "client" }),
  passed("with a Host", old(HOST), { closes: "client", sees: { host: "raw.test" } }),
  passed("with keep-alive", old(`${HOST}Connection: keep-alive\r\n`)),
  passed("with a body of a length", old(`${HOST}Content-Length: 5\r\n`, "POST", "12345"), {
    closes: "client",
    sees: { body: "12345" },
  }),
  passed("POST without a length has no body", old(HOST, "POST"), {
    may: ["passed", "normalised", "refused"],
    closes: "client",
    sees: { body: "" },
  }),
  refused("two Host lines", old(`${HOST}${HOST}`), leniently(/(\r\nhost:[^\r]*){2}/i)),
  refused("Transfer-Encoding (RFC 9112 §6.1)", old(`${HOST}${CHUNKED}`, "POST", "0\r\n\r\n"), FAULTY),
  refused(
    "Transfer-Encoding with keep-alive: the connection is not trusted (RFC 9112 §6.1)",
    old(`${HOST}${CHUNKED}Connection: keep-alive\r\n`, "POST", `0\r\n\r\n${SMUGGLED}`),
    FAULTY,
  ),
  refused(
    "Transfer-Encoding and Content-Length",
    old(`${HOST}${CHUNKED}Content-Length: 5\r\n`, "POST", "0\r\n\r\n"),
    FAULTY,
  ),
  normalised(
    "what Upgrade asks is not heard (RFC 9110 §7.8)",
    old(
      `${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`,
    ),
    /^upgrade:/im,
    {
      may: ["normalised", "refused"],
      closes: "client",
    },
  ),
  normalised(
    "what Expect asks is not heard (RFC 9110 §10.1.1)",
    [old(`${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n`, "POST"), "12345"],
    /^expect:/im,
    {
      may: ["normalised", "refused", "passed"],
      closes: "client",
      sees: { body: "12345" },
    },
  ),
]);
