// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the files under test hold variables.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatProblem, parseConfig } from "../../src/config/load.ts";

/** A line that is right, so that the rest of the file is what is wrong. */
const REGIONS = "regions: { us: { role: writer, endpoints: [http://10.0.0.1:80] } }";
const SMALLEST =
  "(the smallest file is regions: { us-east: { role: writer, endpoints: [http://10.0.0.10:8080] } })";

/** A broken file, line by line, and all that is said about it. */
type Row = readonly [name: string, file: readonly string[], ...problems: string[]];

const rows: readonly Row[] = [
  ["an empty file", [""], `1:1: the file is empty ${SMALLEST}`],
  ["a file of comments only", ["# nothing yet"], `1:1: the file is empty ${SMALLEST}`],
  ["a list", ["- us", "- eu"], `1:1: expected keys with their values ${SMALLEST}`],
  ["a sentence", ["hello world"], `1:1: expected keys with their values ${SMALLEST}`],
  [
    "YAML with an open bracket",
    ["regions:", "  us: { role: writer, endpoints: [http://10.0.0.1:80 }"],
    "2:54: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
    "2:55: not YAML: Flow map in block collection must be sufficiently indented and end with a }",
  ],
  [
    "a tab in the indentation",
    [REGIONS, "health:", "\tinterval: 2s"],
    "3:1: a tab in the indentation (indent with spaces)",
  ],
  [
    "the same key twice",
    [REGIONS, "log: { level: info }", "log: { access: off }"],
    "3:1: duplicate key log (the first is on line 2)",
  ],
  [
    "the same region twice",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80] }",
      "  us: { role: replica, endpoints: [http://10.0.0.2:80] }",
    ],
    "3:3: duplicate key us (the first is on line 2)",
  ],
  [
    "two documents",
    [REGIONS, "---", REGIONS],
    "2:1: more than one document (keep one and remove the lines ---)",
  ],
  [
    "an alias of nothing",
    [REGIONS, "health: *defaults"],
    "2:9: the *name stands for nothing (write &name before what it stands for; put a text that begins with * in quotes)",
  ],
  [
    "a tag of its own",
    [REGIONS, "log: !include log.yaml"],
    "2:6: a tag that means nothing here (write the value without the ! in front)",
  ],
  ["no regions at all", ["log: { level: info }"], "1:1: regions: missing (expected keys with their values)"],
  [
    "an empty mapping of regions",
    ["regions: {}"],
    "1:10: regions: no region (add one, such as us-east: { role: writer, endpoints: [http://10.0.0.10:8080] })",
  ],
  [
    "regions without a writer",
    [
      "regions:",
      "  us: { role: replica, endpoints: [http://10.0.0.1:80] }",
      "  eu: { role: standby, endpoints: [http://10.0.0.2:80] }",
    ],
    "1:1: regions: no writer (give one region role: writer)",
  ],
  [
    "two writers under single-writer",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80] }",
      "  eu: { role: writer, endpoints: [http://10.0.0.2:80] }",
    ],
    "3:15: regions.eu.role: us is already the writer (make it a replica, or set routing.topology: multi-writer)",
  ],
  [
    "no writer under multi-writer",
    [
      "regions:",
      "  us: { role: replica, endpoints: [http://10.0.0.1:80] }",
      "routing: { topology: multi-writer }",
    ],
    "1:1: regions: no writer (give one region role: writer)",
  ],
  [
    "a region without a role",
    ["regions:", "  us: { endpoints: [http://10.0.0.1:80] }"],
    "2:3: regions.us.role: missing (expected one of writer, replica, standby)",
  ],
  [
    "a region without an endpoint",
    ["regions:", "  us: { role: writer, endpoints: [] }"],
    "2:34: regions.us.endpoints: expected at least 1 entry",
  ],
  [
    "a region whose name is a number",
    ["regions:", "  1: { role: writer, endpoints: [http://10.0.0.1:80] }"],
    "2:3: regions.1: expected a region name of lower-case letters, digits and hyphens, a letter first",
  ],
  [
    "a misspelt role",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80] }",
      "  eu: { role: repilca, endpoints: [http://10.0.0.2:80] }",
    ],
    "3:15: regions.eu.role: expected one of writer, replica, standby (did you mean replica?)",
  ],
  [
    "an endpoint that is no list",
    ["regions:", "  us: { role: writer, endpoints: http://10.0.0.1:80 }"],
    "2:34: regions.us.endpoints: expected a list, found text (put it in brackets: [ ])",
  ],
  [
    "an endpoint without a scheme",
    ["regions:", "  us: { role: writer, endpoints: [app.internal:8080] }"],
    "2:35: regions.us.endpoints[0]: expected http://HOST:PORT, https://HOST:PORT or h2c://HOST:PORT (write http://app.internal:8080)",
  ],
  [
    "an endpoint with a path",
    ["regions:", "  us: { role: writer, endpoints: [http://10.0.0.1:80/app] }"],
    "2:35: regions.us.endpoints[0]: an endpoint has no path, query or fragment (write http://10.0.0.1)",
  ],
  [
    "an endpoint with a password",
    ["regions:", "  us: { role: writer, endpoints: [http://me:hunter2@10.0.0.1:80] }"],
    "2:35: regions.us.endpoints[0]: an endpoint has no user or password (remove them)",
  ],
  [
    "an endpoint of another protocol",
    ["regions:", "  us: { role: writer, endpoints: [ftp://10.0.0.1] }"],
    "2:35: regions.us.endpoints[0]: expected http://HOST:PORT, https://HOST:PORT or h2c://HOST:PORT",
  ],
  [
    "an endpoint twice, written differently",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://app.internal] }",
      "  eu: { role: replica, endpoints: [http://10.0.0.2:80, HTTP://App.Internal:80/] }",
    ],
    "3:56: regions.eu.endpoints[1]: the same endpoint as regions.us.endpoints[0] (an endpoint belongs to one region, once)",
  ],
  [
    "an endpoint that is the edge itself",
    ["regions:", "  us: { role: writer, endpoints: [http://localhost:8080] }"],
    "2:35: regions.us.endpoints[0]: this edge listens there itself (give the address of the application)",
  ],
  [
    "a location off the globe",
    ["regions:", "  us: { role: writer, endpoints: [http://10.0.0.1:80], location: [139.0, -77.5] }"],
    "2:67: regions.us.location[0]: expected at most 90",
  ],
  [
    "a location of one number",
    ["regions:", "  us: { role: writer, endpoints: [http://10.0.0.1:80], location: [39.0] }"],
    "2:66: regions.us.location: expected [LATITUDE, LONGITUDE] (such as [39.0, -77.5])",
  ],
  [
    "an unknown key that is nearly right",
    [REGIONS, "consistency:", "  gracewindow: 5s"],
    "3:3: consistency.gracewindow: unknown key (did you mean graceWindow?)",
  ],
  [
    "an unknown key that belongs elsewhere",
    [REGIONS, "graceWindow: 5s"],
    "2:1: graceWindow: unknown key (it belongs under consistency)",
  ],
  [
    "an unknown key like no other",
    [REGIONS, "log: { colour: true }"],
    "2:8: log.colour: unknown key (the keys here are level, access)",
  ],
  [
    "TLS for a region without https",
    ["regions: { us: { role: writer, endpoints: [http://10.0.0.1:80], tls: { servername: app.internal } } }"],
    "1:65: regions.us.tls: none of its endpoints is https (write https://HOST:PORT)",
  ],
  [
    "HTTP/2 for a region in clear",
    ["regions: { us: { role: writer, endpoints: [http://10.0.0.1:80], http2: true } }"],
    "1:72: regions.us.http2: it is for https endpoints (write h2c://HOST:PORT for HTTP/2 without TLS)",
  ],
  [
    "HTTP/2 for a region that speaks nothing else",
    ["regions: { us: { role: writer, endpoints: [h2c://10.0.0.1:80], http2: true } }"],
    "1:71: regions.us.http2: its endpoints speak nothing else (remove it)",
  ],
  [
    "an h2c endpoint with a path",
    ["regions:", "  us: { role: writer, endpoints: [h2c://10.0.0.1/app] }"],
    "2:35: regions.us.endpoints[0]: an endpoint has no path, query or fragment (write h2c://10.0.0.1)",
  ],
  [
    "an h2c endpoint twice, written differently",
    ["regions:", "  us: { role: writer, endpoints: [h2c://app.internal:80, H2C://App.Internal/] }"],
    "2:58: regions.us.endpoints[1]: the same endpoint as regions.us.endpoints[0] (an endpoint belongs to one region, once)",
  ],
  [
    "a client certificate without its key",
    ["regions:", "  us: { role: writer, endpoints: [https://app.internal], tls: { certFile: a.pem } }"],
    "2:63: regions.us.tls: a certificate and its key go together (give certFile and keyFile, or neither)",
  ],
  [
    "TLS without a certificate",
    [REGIONS, "listen:", "  https: { port: 8443 }"],
    "3:3: listen.https.certFile: missing (expected text)",
    "3:3: listen.https.keyFile: missing (expected text)",
  ],
  [
    "an old version of TLS",
    [REGIONS, "listen:", "  https: { certFile: a.pem, keyFile: a.key, minVersion: TLSv1.1 }"],
    "3:57: listen.https.minVersion: expected one of TLSv1.2, TLSv1.3 (did you mean TLSv1.2?)",
  ],
  [
    "one port for clients in clear and over TLS, and one for operators",
    [REGIONS, "listen:", "  https: { port: 8080, certFile: a.pem, keyFile: a.key }", "admin: { port: 8080 }"],
    "3:18: listen.https.port: 8080 is also the port of listen.http (choose another port)",
    "4:16: admin.port: 8080 is also the port of listen.http (choose another port)",
  ],
  [
    "an endpoint that is the edge itself, over TLS",
    [
      "regions: { us: { role: writer, endpoints: [https://localhost:8443] } }",
      "listen: { https: { certFile: a.pem, keyFile: a.key } }",
    ],
    "1:44: regions.us.endpoints[0]: this edge listens there itself (give the address of the application)",
  ],
  [
    "PROXY headers that nobody is trusted to write",
    [REGIONS, "listen: { proxyProtocol: true }"],
    "2:26: listen.proxyProtocol: no proxy is trusted to write PROXY headers (name your load balancers in listen.trustedProxies)",
  ],
  [
    "two certificates for one name, and one for no name at all",
    [
      REGIONS,
      "listen:",
      "  https:",
      "    certFile: a.pem",
      "    keyFile: a.key",
      "    certificates:",
      "      - { servernames: [shop.example, '*.shop.example'], certFile: b.pem, keyFile: b.key }",
      "      - { servernames: [Shop.example, 'shop.*'], certFile: c.pem, keyFile: c.key }",
    ],
    "8:39: listen.https.certificates[1].servernames[1]: expected a host name such as shop.example or *.shop.example",
  ],
  [
    "two certificates for one name",
    [
      REGIONS,
      "listen:",
      "  https:",
      "    certFile: a.pem",
      "    keyFile: a.key",
      "    certificates:",
      "      - { servernames: [shop.example], certFile: b.pem, keyFile: b.key }",
      "      - { servernames: [www.example, Shop.example], certFile: c.pem, keyFile: c.key }",
    ],
    "8:38: listen.https.certificates[1].servernames[1]: certificates[0] is for this name already (name it once)",
  ],
  [
    "a drill of a region that does not exist, above more than everything",
    [
      REGIONS,
      "schedule: { drills: [{ region: uss, cron: 0 10 * * 3, lasts: 2m, abortAbove: { errorRatio: 2 } }] }",
    ],
    "2:92: schedule.drills[0].abortAbove.errorRatio: expected at most 1",
  ],
  [
    "a drill of a region that does not exist, which begins again before it has ended",
    [REGIONS, "schedule: { drills: [{ region: uss, cron: '* * * * *', lasts: 1m }] }"],
    "2:32: schedule.drills[0].region: no such region (did you mean us?)",
    "2:63: schedule.drills[0].lasts: 1m is not shorter than the 1m from one start to the next (shorten it, or let it begin less often)",
  ],
  [
    "a drill for a fortnight, of a kind that there is not",
    [REGIONS, "schedule: { drills: [{ region: us, cron: 0 10 1 * *, lasts: 14d, kind: blackhole }] }"],
    "2:61: schedule.drills[0].lasts: expected at most 1d",
    "2:72: schedule.drills[0].kind: expected one of drain, black-hole (did you mean black-hole?)",
  ],
  [
    "a cron expression with too few fields",
    [REGIONS, "schedule: { maintenance: [{ region: us, cron: 0 2 * *, lasts: 30m, action: drain }] }"],
    "2:47: schedule.maintenance[0].cron: expected a cron expression (it has minute, hour, day of month, month, day of week, such as 0 2 * * 0 for Sundays at two)",
  ],
  [
    "a cron expression with an hour that no day has",
    [REGIONS, "schedule: { maintenance: [{ region: us, cron: 0 25 * * *, lasts: 30m, action: drain }] }"],
    "2:47: schedule.maintenance[0].cron: 25 is not readable (the hour is 0-23)",
  ],
  [
    "a cron expression for a day that no month has",
    [REGIONS, "schedule: { maintenance: [{ region: us, cron: 0 2 30 2 *, lasts: 30m, action: drain }] }"],
    "2:47: schedule.maintenance[0].cron: no month has this day (the day of the month is 1-31, or L for the last)",
  ],
  [
    "a cron expression that never comes true",
    [REGIONS, "schedule: { maintenance: [{ region: us, cron: 0 2 31 * 1#1, lasts: 30m, action: drain }] }"],
    "2:47: schedule.maintenance[0].cron: no day is ever like this (leave one of its fields *)",
  ],
  [
    "a time zone that does not exist",
    [
      REGIONS,
      "schedule:",
      "  maintenance:",
      "    - { region: us, cron: 0 2 * * 0, lasts: 30m, action: drain, timezone: Europe/Berlim }",
    ],
    "4:75: schedule.maintenance[0].timezone: no such time zone (did you mean Europe/Berlin?)",
  ],
  [
    "maintenance of a region that does not exist",
    [REGIONS, "schedule: { maintenance: [{ region: uss, cron: 0 2 * * 0, lasts: 30m, action: drain }] }"],
    "2:37: schedule.maintenance[0].region: no such region (did you mean us?)",
  ],
  [
    "maintenance that lasts a fortnight, and is neither drain nor close",
    [REGIONS, "schedule: { maintenance: [{ region: us, cron: 0 2 1 * *, lasts: 14d, action: stop }] }"],
    "2:65: schedule.maintenance[0].lasts: expected at most 7d",
    "2:78: schedule.maintenance[0].action: expected one of drain, close",
  ],
  [
    "maintenance that begins again before it has ended",
    [REGIONS, "schedule: { maintenance: [{ region: us, cron: 0 * * * *, lasts: 1h, action: drain }] }"],
    "2:65: schedule.maintenance[0].lasts: 1h is not shorter than the 1h from one start to the next (shorten it, or let it begin less often)",
  ],
  [
    "a duration without a unit",
    [REGIONS, "health:", "  interval: 2"],
    "3:13: health.interval: expected a duration such as 500ms, 2s or 10m, found a number (add the unit: ms, s, m, h or d)",
  ],
  [
    "a duration in a unit of its own",
    [REGIONS, "proxy:", "  idleTimeout: 5min"],
    "3:16: proxy.idleTimeout: expected a duration such as 500ms, 2s or 10m",
  ],
  [
    "a duration that no timer can hold",
    [REGIONS, "proxy:", "  idleTimeout: 25d"],
    "3:16: proxy.idleTimeout: expected at most 24d",
  ],
  [
    "a size in the wrong unit",
    [REGIONS, "proxy: { maxHeaderBytes: 32KB }"],
    "2:26: proxy.maxHeaderBytes: expected a size such as 32KiB or 8MiB",
  ],
  [
    "limits that leave nothing to anybody, or are not there",
    [
      REGIONS,
      "limits:",
      "  maxHeaders: 5",
      "  connections: 0",
      "  queue: { length: -1 }",
      "  maxUrlByte: 1KiB",
    ],
    "3:15: limits.maxHeaders: expected at least 10",
    "4:16: limits.connections: expected at least 1",
    "5:20: limits.queue.length: expected at least 0",
    "6:3: limits.maxUrlByte: unknown key (did you mean maxUrlBytes?)",
  ],
  [
    "an overload that begins beyond all there is",
    [REGIONS, "limits: { overload: { memoryPercent: 101, eventLoopDelay: 1 } }"],
    "2:38: limits.overload.memoryPercent: expected at most 100",
    "2:59: limits.overload.eventLoopDelay: expected a duration such as 500ms, 2s or 10m, found a number (add the unit: ms, s, m, h or d)",
  ],
  [
    "a header limit too small to work",
    [REGIONS, "proxy: { maxHeaderBytes: 100 }"],
    "2:26: proxy.maxHeaderBytes: expected at least 1KiB",
  ],
  [
    "a number in quotes",
    [REGIONS, 'listen: { http: { port: "8080" } }'],
    "2:25: listen.http.port: expected a number, found text (remove the quotes)",
  ],
  [
    "a port that is none",
    [REGIONS, "listen: { http: { port: 80800 } }"],
    "2:25: listen.http.port: expected at most 65535",
  ],
  [
    "a fraction of an attempt",
    [REGIONS, "proxy: { attempts: 1.5 }"],
    "2:20: proxy.attempts: expected a whole number, found a fraction",
  ],
  [
    "a text where a switch belongs",
    [REGIONS, "affinity: { enabled: yes }"],
    "2:22: affinity.enabled: expected true or false, found text",
  ],
  [
    "a key without a value",
    [REGIONS, "redis:"],
    "2:7: redis: expected keys with their values, found nothing (give it a value or remove the key)",
  ],
  [
    "a status that is none",
    [REGIONS, "health: { expectStatus: 2xx }"],
    "2:25: health.expectStatus: expected statuses such as 200-299 or 200,204",
  ],
  [
    "a proxy that is no network",
    [REGIONS, "listen: { trustedProxies: [10.0.0.0/33, loadbalancer] }"],
    "2:28: listen.trustedProxies[0]: expected an address or a network such as 10.0.0.0/8",
    "2:41: listen.trustedProxies[1]: expected an address or a network such as 10.0.0.0/8",
  ],
  [
    "a time-out as long as the interval",
    [REGIONS, "health: { interval: 1s }"],
    "2:1: health.timeout: 1s is not shorter than the interval of 1s (a probe must end before the next begins: shorten the timeout or lengthen the interval)",
  ],
  [
    "a window beyond the longest pin",
    [REGIONS, "consistency: { graceWindow: 2m }"],
    "2:29: consistency.graceWindow: 2m is longer than maxPin of 1m (raise maxPin or shorten graceWindow)",
  ],
  [
    "a failure that is said to have written nothing",
    [REGIONS, "consistency: { noWriteStatus: '400-499, 503' }"],
    "2:31: consistency.noWriteStatus: a 5xx does not say that nothing was written (name statuses up to 499)",
  ],
  [
    "an order of strangers",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80] }",
      "  eu-west: { role: replica, endpoints: [http://10.0.0.2:80] }",
      "failover: { order: [eu-wset, asia, eu-west, eu-west] }",
    ],
    "4:21: failover.order[0]: no such region (did you mean eu-west?)",
    "4:30: failover.order[1]: no such region (the regions are us, eu-west)",
    "4:45: failover.order[3]: eu-west is already in the order (name each region once)",
  ],
  [
    "automatic failover by one edge alone",
    [REGIONS, "failover: { mode: automatic }"],
    "2:19: failover.mode: one edge alone never moves the write region (give redis, or write manual)",
  ],
  [
    "automatic failover where every writer writes",
    [REGIONS, "routing: { topology: multi-writer }", "failover: { mode: automatic }"],
    "3:19: failover.mode: with several writers there is no write region to move (write manual)",
  ],
  [
    "a token for the hook that is no token",
    [REGIONS, 'failover: { hook: { url: "http://127.0.0.1:1", token: "two words" } }'],
    "2:55: failover.hook.token: expected printable characters without spaces",
  ],
  [
    "residency where nobody is",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80], jurisdiction: us }",
      "routing:",
      "  residency:",
      "    - { match: { header: x-country, in: [DE] }, jurisdictions: [eu] }",
    ],
    "5:65: routing.residency[0].jurisdictions[0]: no region is in this jurisdiction (give a region jurisdiction: eu)",
  ],
  [
    "residency by a header that is dropped",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80], jurisdiction: us }",
      "routing:",
      "  residency:",
      "    - { match: { header: X-Meridian-Country, in: [US] }, jurisdictions: [us] }",
    ],
    "5:26: routing.residency[0].match.header: headers x-meridian-* of clients are dropped (choose another header)",
  ],
  [
    "a star inside a path",
    [REGIONS, "routing:", "  paths:", "    - { path: /a/*/b, as: static }"],
    "4:15: routing.paths[0].path: expected a path that begins with /, without a query (a * is allowed only at its end)",
  ],
  [
    "a method in small letters",
    [REGIONS, "routing:", "  paths:", "    - { path: /search, methods: [post], as: read }"],
    "4:34: routing.paths[0].methods[0]: expected a method in capitals",
  ],
  [
    "weights of nothing",
    [
      "regions:",
      "  us: { role: writer, endpoints: [http://10.0.0.1:80], weight: 0 }",
      "routing: { policy: weighted }",
    ],
    "3:20: routing.policy: no region has a weight above 0 (give one region a weight)",
  ],
  [
    "an open admin API",
    [REGIONS, "admin: { host: 0.0.0.0 }"],
    "2:16: admin.host: without tokens whoever reaches this address could drain regions (give admin.tokens, or listen on 127.0.0.1)",
  ],
  [
    "an admin API on the port of the clients",
    [REGIONS, "admin: { port: 8080 }"],
    "2:16: admin.port: 8080 is also the port of listen.http (choose another port)",
  ],
  [
    "two tokens of one name",
    [
      REGIONS,
      "admin:",
      "  tokens:",
      "    - { name: ops, role: operator, sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa }",
      "    - { name: ops, role: viewer, sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA }",
    ],
    "5:15: admin.tokens[1].name: tokens[0] has the same name (audit lines need to tell them apart)",
    "5:42: admin.tokens[1].sha256: tokens[0] is the same token (give each its own token)",
  ],
  [
    "a token in clear",
    [REGIONS, "admin:", "  tokens:", "    - { name: ops, role: operator, sha256: hunter2 }"],
    "4:44: admin.tokens[0].sha256: expected the token's SHA-256 in 64 hex digits (printf %s TOKEN | sha256sum makes it)",
  ],
  [
    "a cookie of Meridian's own",
    [REGIONS, "affinity: { cookie: meridian_pin }"],
    "2:21: affinity.cookie: Meridian uses the cookie meridian_pin for something else (choose another name)",
  ],
  [
    "an identity that names a region",
    [REGIONS, "consistency: { identity: [{ cookie: meridian_affinity }] }"],
    "2:37: consistency.identity[0].cookie: the cookie meridian_affinity does not say who a user is (name what the application sets when a user logs in)",
  ],
  [
    "an identity twice, and one of no kind",
    [REGIONS, "consistency:", "  identity: [{ header: X-User }, { header: x-user }]"],
    "3:34: consistency.identity[1]: the same as identity[0] (remove one of the two)",
  ],
  [
    "an identity that is both",
    [REGIONS, "consistency: { identity: [{ header: a, cookie: b }] }"],
    "2:27: consistency.identity[0]: expected { header: NAME }, { cookie: NAME } or { jwt: { header: NAME } }",
  ],
  [
    "an identity that is none",
    [REGIONS, "consistency: { identity: [{}, authorization, { jwt: authorization }] }"],
    "2:27: consistency.identity[0]: expected { header: NAME }, { cookie: NAME } or { jwt: { header: NAME } }",
    "2:31: consistency.identity[1]: expected { header: NAME }, { cookie: NAME } or { jwt: { header: NAME } }, found text",
    "2:53: consistency.identity[2].jwt: expected keys with their values, found text",
  ],
  [
    "a token in two places, and one nowhere",
    [
      REGIONS,
      "consistency:",
      "  identity:",
      "    - jwt: { header: authorization, cookie: session }",
      "    - jwt: { claim: sub }",
    ],
    "4:45: consistency.identity[0].jwt.cookie: the token is in the header already (remove one of the two)",
    "5:12: consistency.identity[1].jwt: does not say where the token is (name a header or a cookie, such as header: authorization)",
  ],
  [
    "keys of a token in two files",
    [
      REGIONS,
      "consistency:",
      "  identity:",
      "    - jwt: { header: authorization, jwksFile: jwks.json, keyFile: key.pem }",
    ],
    "4:67: consistency.identity[0].jwt.keyFile: the keys are in jwksFile already (remove one of the two)",
  ],
  [
    "a misspelt key of a token",
    [REGIONS, "consistency:", "  identity:", "    - jwt: { header: authorization, clam: uid }"],
    "4:37: consistency.identity[0].jwt.clam: unknown key (did you mean claim?)",
  ],
  [
    "a token in a cookie of Meridian's own, or in a header that is dropped",
    [
      REGIONS,
      "consistency:",
      "  identity:",
      "    - jwt: { cookie: meridian_pin }",
      "    - jwt: { header: X-Meridian-User }",
    ],
    "4:22: consistency.identity[0].jwt.cookie: the cookie meridian_pin does not say who a user is (name what the application sets when a user logs in)",
    "5:22: consistency.identity[1].jwt.header: headers x-meridian-* of clients are dropped (choose another header)",
  ],
  [
    "a short secret",
    [REGIONS, "secrets: [hunter2]"],
    "2:11: secrets[0]: expected at least 16 characters (make one with: openssl rand -base64 32)",
  ],
  [
    "a short pin key",
    [REGIONS, "consistency: { pinKeys: [swordfish] }"],
    "2:26: consistency.pinKeys[0]: expected at least 16 characters (make one with: openssl rand -base64 32)",
  ],
  [
    "a pin key that signs too",
    [REGIONS, "secrets: [correct-horse-battery]", "consistency: { pinKeys: [correct-horse-battery] }"],
    "3:26: consistency.pinKeys[0]: one of the secrets (make another one with: openssl rand -base64 32)",
  ],
  [
    "a Redis of another kind",
    [REGIONS, "redis: { url: 127.0.0.1:6379 }"],
    "2:15: redis.url: expected redis://HOST:PORT or rediss://HOST:PORT",
  ],
  [
    "a Redis without an address",
    [REGIONS, "redis: { namespace: shop }"],
    "2:1: redis: no address (give url: redis://HOST:PORT, or sentinels with name, or cluster)",
  ],
  [
    "a Redis in two places",
    [
      REGIONS,
      "redis:",
      "  url: redis://10.0.0.5",
      "  sentinels: [10.0.0.5:26379]",
      "  name: mymaster",
      "  cluster: [10.0.0.5:6379]",
    ],
    "4:3: redis.sentinels: url already says where Redis is (give one of url, sentinels and cluster)",
    "6:3: redis.cluster: url already says where Redis is (give one of url, sentinels and cluster)",
  ],
  [
    "Sentinels of nobody",
    [REGIONS, "redis: { sentinels: [10.0.0.5:26379] }"],
    "2:1: redis.name: missing (give what the Sentinels call the primary, often mymaster)",
  ],
  [
    "a name without Sentinels",
    [REGIONS, "redis: { url: redis://10.0.0.5, name: mymaster }"],
    "2:39: redis.name: only Sentinels call a primary by a name (remove it, or give sentinels)",
  ],
  [
    "an empty list of nodes",
    [REGIONS, "redis: { cluster: [] }"],
    "2:19: redis.cluster: expected at least 1 entry",
  ],
  [
    "nodes that are none",
    [
      REGIONS,
      "redis:",
      "  cluster:",
      "    - http://10.0.0.5:6379",
      "    - redis://10.0.0.5:6379/2",
      "    - me:hunter2@10.0.0.5:6379",
      "    - 10.0.0.5:636379",
    ],
    "4:7: redis.cluster[0]: expected HOST:PORT, redis://HOST:PORT or rediss://HOST:PORT",
    "5:7: redis.cluster[1]: such an address has no path or query (remove it, keys begin with redis.namespace instead)",
    "6:7: redis.cluster[2]: a user or a password needs the scheme before it (write redis:// or rediss:// in front)",
    "7:7: redis.cluster[3]: expected HOST:PORT, redis://HOST:PORT or rediss://HOST:PORT",
  ],
  [
    "nodes with and without TLS",
    [REGIONS, "redis: { cluster: [rediss://10.0.0.5, 10.0.0.6] }"],
    "2:39: redis.cluster[1]: some addresses are with TLS and some without (write rediss:// before all or before none)",
  ],
  [
    "Sentinels with different passwords",
    [
      REGIONS,
      "redis:",
      "  name: mymaster",
      "  sentinels: [redis://:hunter2@10.0.0.5, redis://:hunter3@10.0.0.6]",
    ],
    "4:42: redis.sentinels[1]: another user or password than in the first address (write the same in all, or leave it out of all)",
  ],
  [
    "a password in two places",
    [REGIONS, "redis: { url: 'redis://me:hunter2@10.0.0.5', password: hunter3 }"],
    "2:56: redis.password: the address holds credentials already (write them here or there)",
  ],
  [
    "a user without a password",
    [REGIONS, "redis: { url: redis://10.0.0.5, username: meridian }"],
    "2:43: redis.username: a user without a password (give redis.password too)",
  ],
  [
    "a variable that is not set",
    [REGIONS, "redis: { url: ${REDIS_URL} } # ${NOT_THIS_ONE}"],
    "2:15: the environment variable REDIS_URL is not set (set it, or give a default: ${REDIS_URL:-DEFAULT})",
  ],
  [
    "a variable of the wrong kind",
    [REGIONS, "listen:", "  http: { port: ${WORD} }"],
    "3:17: listen.http.port: expected a number, found text, from ${WORD}",
  ],
  [
    "a variable that is empty",
    [REGIONS, "secrets: [${EMPTY}]"],
    "2:11: secrets[0]: expected text, found nothing, from ${EMPTY} (give it a value or remove the key)",
  ],
  [
    "a variable with a strange name",
    [REGIONS, "log: { level: ${log level} }"],
    "2:15: between ${ and } stands no name of a variable (write ${NAME} or ${NAME:-default}, or $${ for a literal ${)",
  ],
  [
    "a variable that does not end",
    [REGIONS, 'secrets: ["correct horse ${battery staple"]'],
    "2:11: a ${ without its } (write ${NAME} or ${NAME:-default}, or $${ for a literal ${)",
  ],
  [
    "many things at once",
    [
      "regons: {}",
      "regions:",
      "  us:",
      "    role: writer",
      "    endpoints: [http://10.0.0.1:80, http://10.0.0.1:80]",
      "  EU: { role: replica, endpoints: [http://10.0.0.2:80] }",
      "health: { timeout: 2s }",
      "admin: { host: 10.0.0.9, port: 8080 }",
      "log: { level: verbose }",
    ],
    "1:1: regons: unknown key (did you mean regions?)",
    "5:37: regions.us.endpoints[1]: the same endpoint as regions.us.endpoints[0] (an endpoint belongs to one region, once)",
    "6:3: regions.EU: expected a region name of lower-case letters, digits and hyphens, a letter first",
    "7:20: health.timeout: 2s is not shorter than the interval of 2s (a probe must end before the next begins: shorten the timeout or lengthen the interval)",
    "8:16: admin.host: without tokens whoever reaches this address could drain regions (give admin.tokens, or listen on 127.0.0.1)",
    "8:32: admin.port: 8080 is also the port of listen.http (choose another port)",
    "9:15: log.level: expected one of trace, debug, info, warn, error, fatal, silent",
  ],
];

const environment = { HOSTNAME: "edge-1", WORD: "eighty", EMPTY: "" };

describe("a broken configuration is told with line, column and remedy:", () => {
  for (const [name, file, ...problems] of rows) {
    test(name, () => {
      const loaded = parseConfig(`${file.join("\n")}\n`, environment);
      assert.ok(!loaded.ok);
      assert.deepEqual(
        loaded.problems.map((problem) => formatProblem("f", problem)),
        problems.map((problem) => `f:${problem}`),
      );
    });
  }
});
