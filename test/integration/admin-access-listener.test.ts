import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent, createServer, type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { boundConnections } from "../../src/admin/listener.ts";
import { systemClock } from "../../src/clock.ts";
import { type EdgeEvents, EventBus } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type AdminEdge, adminEdge, listen } from "./admin-edge.ts";

const sha256 = createHash("sha256").update("act").digest("hex");
const GUARDED = { admin: { port: 0, tokens: [{ name: "ops", role: "operator", sha256 }] } };
const OPERATOR = "Bearer act";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly json: Record<string, unknown>;
}

/** A call from one of this machine's loopback addresses, which are as many callers to the edge. */
async function callFrom(
  localAddress: string,
  url: string,
  { method = "GET", path = "/v1/status", headers = {} as Record<string, string> },
): Promise<Answer> {
  const req = request(new URL(path, url), { method, headers, localAddress, agent: new Agent() }).end();
  const [res] = await once(req, "response");
  const chunks: Buffer[] = await res.toArray();
  const text = Buffer.concat(chunks).toString();
  const json = String(res.headers["content-type"]).includes("json") && text !== "" ? JSON.parse(text) : {};
  return { status: res.statusCode, headers: res.headers, json };
}

describe("a guesser of tokens", () => {
  let edge: AdminEdge;
  const refusals: EdgeEvents["adminRefused"][] = [];
  const lockouts: EdgeEvents["lockedOut"][] = [];
  before(async () => {
    edge = await adminEdge(GUARDED);
    edge.events.on("adminRefused", (event) => refusals.push(event));
    edge.events.on("lockedOut", (event) => lockouts.push(event));
  });
  after(() => edge.close());

  const from = (address: string, authorization: string, path = "/v1/status") =>
    callFrom(address, edge.url, { path, headers: { authorization } });

  it("is locked out after ten, with whatever token, and told when to come back", async () => {
    for (let each = 0; each < 10; each += 1) {
      assert.equal((await from("127.0.0.2", `Bearer guess-${each}`)).status, 401);
    }
    for (const authorization of ["Bearer guess-11", OPERATOR]) {
      const { status, headers, json } = await from("127.0.0.2", authorization);
      assert.deepEqual([status, json.fault], [429, "locked_out"]);
      const seconds = Number(headers["retry-after"]);
      assert.ok(seconds > 30 && seconds <= 60, `retry-after: ${seconds}`);
      assert.equal(headers["www-authenticate"], undefined);
    }
  });

  it("does not keep out those at other addresses, nor orchestrators and Prometheus at the same", async () => {
    assert.equal((await from("127.0.0.3", OPERATOR)).status, 200);
    for (const path of ["/livez", "/readyz", "/metrics"]) {
      assert.equal((await from("127.0.0.2", "Bearer guess-12", path)).status, 200, path);
    }
  });

  it("is told of once, and counted each time", async () => {
    assert.deepEqual(lockouts, [{ address: "127.0.0.2", wrongTokens: 10, lastsMs: 60_000 }]);
    const lines = edge.audits.filter(({ what }) => what === "authenticate");
    assert.deepEqual(
      lines.map(({ who, fault, from, result }) => [who, fault, from, result]),
      [["unknown", "locked_out", "127.0.0.2", "refused"]],
    );
    const counted = (fault: string) => refusals.filter((event) => event.fault === fault).length;
    assert.deepEqual([counted("unauthenticated"), counted("locked_out")], [10, 2]);
  });

  it("floods neither log nor audit, from however many addresses, and every refusal is counted", async () => {
    const before = { logged: edge.logged.length, audits: edge.audits.length, refusals: refusals.length };
    const path = "/v1/regions/eu-west/drain";
    for (let each = 0; each < 300; each += 1) {
      const headers = { authorization: `Bearer guess-${each}` };
      await callFrom(`127.0.1.${each % 50}`, edge.url, { method: "POST", path, headers });
    }
    assert.equal(refusals.length - before.refusals, 300);
    assert.ok(edge.logged.length - before.logged <= 60, `${edge.logged.length - before.logged} log lines`);
    assert.ok(edge.audits.length - before.audits <= 60, `${edge.audits.length - before.audits} audit lines`);
    assert.doesNotMatch(JSON.stringify(edge.audits) + edge.logged.join(""), /guess-\d/);
  });

  it("does not keep the audit line of a change from being written by looking a lot", async () => {
    const looks = Array.from({ length: 60 }, () => callFrom("127.0.3.1", edge.url, {}));
    for (const { status } of await Promise.all(looks)) assert.equal(status, 401);
    await sleep(1_100);
    await callFrom("127.0.3.1", edge.url, { method: "POST", path: "/v1/regions/eu-west/close" });
    assert.equal(edge.audits.at(-1)?.what, "close");
    const tries = edge.audits.filter(({ what }) => what === "drain" || what === "close");
    const told = tries.reduce((sum, { suppressed = 0 }) => sum + 1 + suppressed, 0);
    assert.equal(told, 301, "each is a line, or counted as held back in one");
  });
});

describe("every answer of the admin API", () => {
  const GUARDING: Record<string, string> = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };

  function checkHeaders(headers: object, what: string): void {
    for (const [name, value] of Object.entries(GUARDING)) {
      assert.equal((headers as Record<string, unknown>)[name], value, `${what}: ${name}`);
    }
    const unwanted = Object.keys(headers).filter((name) => /^(access-control|set-cookie)/i.test(name));
    assert.deepEqual(unwanted, [], what);
  }

  for (const [title, given, headers] of [
    ["without tokens", {}, {}],
    ["with a token", GUARDED, { authorization: OPERATOR }],
    ["with a token that is not given", GUARDED, {}],
  ] as const) {
    it(`allows no other site anything, sets no cookie and cannot be kept or framed, ${title}`, async (t) => {
      const edge = await adminEdge(given);
      t.after(() => edge.close());
      const paths = new Set(edge.admin.routes.map(({ url }) => url.replace(":id", "eu-west")));
      paths.delete("/v1/events");
      // The console's files have a policy of their own; test/integration/console-files.test.ts looks at it.
      for (const path of paths) if (path === "/" || path.startsWith("/console")) paths.delete(path);
      const origins = [undefined, "https://evil.example", edge.url];
      for (const path of [...paths, "/v1/nothing", "/v1/regions/%zz", `/v1/regions/${"x".repeat(200)}`]) {
        for (const method of ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"]) {
          for (const origin of origins) {
            const asked = { ...headers, ...(origin && { origin, cookie: "a=b" }) };
            const { status, headers: answered } = await callFrom("127.0.0.1", edge.url, {
              method,
              path: `${path}?dryRun=true`,
              headers: { ...asked, "access-control-request-method": "POST" },
            });
            checkHeaders(answered, `${method} ${path} ${origin}`);
            if (method === "OPTIONS") assert.ok(status >= 400, `OPTIONS ${path} is refused`);
            if (origin?.includes("evil") && !path.includes("%zz") && !path.includes("xxx")) {
              assert.equal(status, 403, `${method} ${path} from another site`);
            }
          }
        }
      }
    });
  }

  it("also of the event stream, and of what is no request at all", async (t) => {
    const edge = await adminEdge();
    t.after(() => edge.close());
    const stream = await listen(edge.url);
    checkHeaders(stream.response.headers, "stream");
    stream.stop();
    const host = new URL(edge.url).host;
    for (const [bytes, status] of [
      ["nonsense\r\n\r\n", 400],
      [`GET / HTTP/1.1\r\nhost: ${host}\r\nhost : x\r\n\r\n`, 400],
      [`GET /livez HTTP/1.1\r\nhost: ${host}\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, 431],
      [
        `POST /v1/explain HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`,
        400,
      ],
    ] as const) {
      const { text, closed } = await sendRaw(edge.url, bytes);
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(closed, "end");
      const [head = "", body = ""] = text.split("\r\n\r\n");
      const fields = head
        .split("\r\n")
        .slice(1)
        .map((line) => line.split(/: (.*)/s).slice(0, 2));
      checkHeaders(Object.fromEntries(fields), bytes.slice(0, 40));
      assert.equal(JSON.parse(body).status, status);
    }
  });
});

describe("a page whose name was rebound to this machine", () => {
  it("gets nothing where no token is needed, not even metrics, and changes nothing where it knows one", async (t) => {
    const [open, guarded] = await Promise.all([adminEdge(), adminEdge(GUARDED)]);
    t.after(() => Promise.all([open.close(), guarded.close()]));
    const host = `evil.example:${new URL(open.url).port}`;
    for (const { method, url } of open.admin.routes) {
      const path = url.replace(":id", "eu-west");
      const { status } = await callFrom("127.0.0.1", open.url, { method, path, headers: { host } });
      assert.equal(status, 403, `${method} ${path}`);
    }
    const headers = { host, origin: `http://${host}`, authorization: OPERATOR };
    const path = "/v1/regions/eu-west/undrain";
    const { status } = await callFrom("127.0.0.1", guarded.url, { method: "POST", path, headers });
    assert.equal(status, 403);
    assert.deepEqual(
      [...open.audits, ...guarded.audits].filter(({ result }) => result !== "refused"),
      [],
    );
  });
});

describe("the admin listener", () => {
  let edge: AdminEdge;
  let host: string;
  before(async () => {
    edge = await adminEdge();
    host = new URL(edge.url).host;
  });
  after(() => edge.close());

  const raw = (head: string, body = "") =>
    sendRaw(edge.url, `${head}\r\nhost: ${host}\r\nconnection: close\r\n\r\n${body}`);
  const json = "content-type: application/json";

  it("reads no more than 64 KiB of a body, announced or not", async () => {
    const post = `POST /v1/explain HTTP/1.1\r\n${json}`;
    const announced = await raw(`${post}\r\ncontent-length: 1000000000`);
    assert.match(announced.text, /^HTTP\/1\.1 413 /);
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    const chunked = await raw(`${post}\r\ntransfer-encoding: chunked`, chunk.repeat(3));
    assert.match(chunked.text, /^HTTP\/1\.1 413 /);
  });

  it("takes nothing but JSON, however deep, and whatever its encoding says", async () => {
    const post = "POST /v1/explain HTTP/1.1";
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    for (const [head, body, status] of [
      [`${post}\r\n${json}`, deep, 400],
      [`${post}\r\n${json}`, `{"method":"GET","path":"/","headers":${deep}}`, 400],
      [`${post}\r\n${json}\r\ncontent-encoding: gzip`, "\x1f\x8b", 400],
      [post, "{}", 415],
      [`${post}\r\ncontent-type: text/plain`, "{}", 415],
      [`${post}\r\ncontent-type: multipart/form-data; boundary=x`, "--x--", 415],
    ] as const) {
      const answer = await raw(`${head}\r\ncontent-length: ${body.length}`, body);
      assert.match(answer.text, new RegExp(`^HTTP/1\\.1 ${status} `), head);
    }
    assert.equal((await edge.call("GET", "/livez")).status, 200);
  });

  it("does not change protocol, and is nobody's proxy", async () => {
    const upgrade = await raw("GET /v1/status HTTP/1.1\r\nupgrade: websocket\r\nsec-websocket-key: x");
    assert.doesNotMatch(upgrade.text, /^HTTP\/1\.1 101/);
    const tunnel = await raw("CONNECT 127.0.0.1:80 HTTP/1.1");
    assert.doesNotMatch(tunnel.text, /^HTTP\/1\.1 2/);
    const h2c = await raw("PRI * HTTP/2.0", "SM\r\n\r\n");
    assert.doesNotMatch(h2c.text, /^HTTP\/1\.1 [12]/);
  });

  it("cuts who does not send a whole request in time, in its head or in its body", async () => {
    const cases = [
      "",
      "GET /livez HTT",
      `GET /livez HTTP/1.1\r\nhost: ${host}\r\n`,
      `POST /v1/explain HTTP/1.1\r\nhost: ${host}\r\n${json}\r\ncontent-length: 20\r\n\r\n{`,
    ];
    const answers = await Promise.all(cases.map((bytes) => sendRaw(edge.url, bytes, { forMs: 12_000 })));
    for (const [index, { text, closed }] of answers.entries()) {
      assert.notEqual(closed, "open", `case ${index}`);
      if (text !== "") assert.match(text, /^HTTP\/1\.1 408 [\s\S]*"fault":"too_slow"/);
    }
    assert.match(answers.at(-1)?.text ?? "", /408/);
  });

  it("holds so many connections of one address at once, tells of more, and serves others meanwhile", async (t) => {
    const warnings: string[] = [];
    edge.events.on("warned", ({ what }) => warnings.push(what));
    const sockets: Socket[] = [];
    t.after(() => sockets.map((socket) => socket.destroy()));
    const open = () => {
      const socket = connect({
        port: Number(new URL(edge.url).port),
        host: "127.0.0.1",
        localAddress: "127.0.0.9",
      });
      socket.on("error", () => {});
      sockets.push(socket);
      return socket;
    };
    for (let each = 0; each < 140; each += 1) await once(open(), "connect");
    await eventually(() =>
      assert.equal(sockets.filter(({ readyState }) => readyState === "open").length, 128),
    );
    assert.deepEqual(warnings, ["admin connections refused"]);
    assert.equal((await callFrom("127.0.0.1", edge.url, { path: "/livez" })).status, 200);
    for (const socket of sockets) socket.destroy();
    await eventually(async () =>
      assert.equal((await callFrom("127.0.0.9", edge.url, { path: "/livez" })).status, 200),
    );
  });

  it("holds so many in all, too, and warns once a minute", async (t) => {
    const events = new EventBus();
    const warnings: EdgeEvents["warned"][] = [];
    events.on("warned", (event) => warnings.push(event));
    const server = createServer((_, res) => res.end());
    boundConnections(server, { events, clock: systemClock }, { inAll: 3, perAddress: 2 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const sockets = Array.from({ length: 8 }, (_, each) =>
      connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${10 + each}` }).on("error", () => {}),
    );
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const openNow = () => sockets.filter(({ readyState }) => readyState === "open").length;
    await eventually(() => assert.equal(openNow(), 3));
    assert.deepEqual(warnings, [{ what: "admin connections refused", detail: "3 are open" }]);
  });

  it("cuts who does not read his answer, and not who waits long for it", async (t) => {
    const server = createServer(async (req, res) => {
      if (req.url === "/long") setTimeout(() => res.end("here"), 1_500);
      else res.end("x".repeat(50_000_000));
    });
    boundConnections(server, { events: new EventBus(), clock: systemClock });
    server.setTimeout(500);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const { port } = server.address() as { port: number };
    const deaf = connect(port, "127.0.0.1").on("error", () => {});
    t.after(() => deaf.destroy());
    deaf.pause();
    deaf.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    const served = once(server, "request");
    const [{ socket }] = await served;
    const long = callFrom("127.0.0.1", `http://127.0.0.1:${port}`, { path: "/long" });
    await eventually(() => assert.equal(socket.destroyed, true));
    assert.equal((await long).status, 200);
  });

  it("knows a caller over IPv4 by that address, also where it listens on IPv6", async (t) => {
    const dual = await adminEdge({ admin: { ...GUARDED.admin, host: "::" } }).catch(() => null);
    if (dual === null) return t.skip("no IPv6 here");
    t.after(() => dual.close());
    const url = `http://127.0.0.1:${new URL(dual.url).port}`;
    const headers = { authorization: "Bearer guess" };
    for (let each = 0; each < 11; each += 1) {
      await callFrom("127.0.0.2", url, { method: "POST", path: "/v1/config/reload", headers });
    }
    const from = new Set(dual.audits.map(({ from: address }) => address));
    assert.deepEqual([...from], ["127.0.0.2"]);
    const path = "/v1/status";
    const operator = { authorization: OPERATOR };
    assert.equal((await callFrom("127.0.0.2", url, { path, headers: operator })).status, 429);
    assert.equal((await callFrom("127.0.0.3", url, { path, headers: operator })).status, 200);
  });
});
