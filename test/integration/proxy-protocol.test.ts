import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import type { ConnectionRefusal } from "../../src/events.ts";
import { Authority, withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { proxyV2 } from "../support/proxy-header.ts";
import { sendRaw } from "../support/raw.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

const GET = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
const V1 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";

describe("the PROXY protocol", { skip: withoutOpenssl }, () => {
  let authority: Authority;
  let world: ScriptedWorld;
  let plain: URL;
  let secure: URL;
  const refused: ConnectionRefusal[] = [];

  before(async () => {
    authority = await Authority.create();
    const { certFile, keyFile } = await authority.issue();
    world = await startScripted(
      { main: (req, res) => res.end(JSON.stringify(req.headers)) },
      {
        listen: {
          http: { host: "127.0.0.1", port: 0 },
          https: { host: "127.0.0.1", port: 0, certFile, keyFile },
          trustedProxies: ["127.0.0.1", "203.0.113.0/24"],
          proxyProtocol: true,
        },
        limits: { headersTimeout: "1s", connectionsPerAddress: 2 },
        log: { level: "silent" },
      },
      { folder: authority.folder },
    );
    plain = new URL(world.edge.httpUrl);
    secure = new URL(world.edge.httpsUrl ?? "");
    world.edge.events.on("connectionRefused", ({ cause }) => refused.push(cause));
  });
  after(async () => {
    await world.stop();
    await authority.remove();
  });

  async function opened(t: TestContext, url: URL, header: string | Buffer): Promise<Socket> {
    const socket = connect(Number(url.port), url.hostname);
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.write(header);
    return socket;
  }

  const forwardedFor = (text: string) => /"x-forwarded-for":"([^"]*)"/.exec(text)?.[1];

  for (const [name, header, client] of [
    ["version 1", V1, "192.0.2.7"],
    ["version 1 over IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"],
    ["version 1, UNKNOWN", "PROXY UNKNOWN\r\n", "127.0.0.1"],
    ["version 2", proxyV2({ source: "192.0.2.7" }), "192.0.2.7"],
    [
      "version 2 with TLVs",
      proxyV2({ source: "192.0.2.7", tlvs: Buffer.from("0400024142", "hex") }),
      "192.0.2.7",
    ],
    ["version 2, LOCAL", proxyV2({ command: 0, family: 0, addresses: Buffer.alloc(0) }), "127.0.0.1"],
  ] as const) {
    test(`tells the region whose connection it is: ${name}`, async () => {
      const bytes = Buffer.concat([Buffer.from(header as string, "latin1"), Buffer.from(GET)]);
      const { text } = await sendRaw(plain, bytes);
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.equal(forwardedFor(text), client);
    });
  }

  test("is read wherever it is cut, and what follows it is not lost", async (t) => {
    for (const header of [V1, proxyV2({ source: "192.0.2.7" })]) {
      const bytes = Buffer.concat([Buffer.from(header as string, "latin1"), Buffer.from(GET)]);
      for (const cut of [1, 5, 13, 20, 44, bytes.length - 5]) {
        const socket = await opened(t, plain, bytes.subarray(0, cut));
        for (let pause = 0; pause < 5; pause += 1) await turn();
        socket.write(bytes.subarray(cut));
        const text = Buffer.concat(await Array.fromAsync(socket as AsyncIterable<Buffer>)).toString();
        assert.equal(forwardedFor(text), "192.0.2.7", `${cut}`);
      }
    }
  });

  test("comes before TLS, and counts for HTTP/1.1 and HTTP/2 over it", async (t) => {
    for (const ALPNProtocols of [["http/1.1"], ["h2"]]) {
      const under = await opened(t, secure, V1);
      const socket = connectTls({
        socket: under,
        ca: authority.cert,
        servername: "localhost",
        ALPNProtocols,
      });
      await once(socket, "secureConnect");
      let text = "";
      if (socket.alpnProtocol === "h2") {
        const client = connectHttp2("https://localhost", { createConnection: () => socket });
        for await (const chunk of client.request({ ":path": "/" })) text += chunk;
        client.destroy();
      } else {
        socket.write(GET);
        for await (const chunk of socket) text += chunk;
      }
      assert.equal(forwardedFor(text), "192.0.2.7");
      assert.match(text, /"x-forwarded-proto":"https"/);
    }
  });

  test("lets the client's own X-Forwarded-For count only when the client is trusted itself", async () => {
    const asked = GET.replace("\r\n", "\r\nx-forwarded-for: 6.6.6.6\r\n");
    const stranger = await sendRaw(plain, V1 + asked);
    assert.equal(forwardedFor(stranger.text), "192.0.2.7");
    const balancer = await sendRaw(plain, V1.replace("192.0.2.7", "203.0.113.9") + asked);
    assert.equal(forwardedFor(balancer.text), "6.6.6.6, 203.0.113.9");
  });

  for (const [name, bytes] of [
    ["none", GET],
    ["one that is malformed", `PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n${GET}`],
    ["one of another version", Buffer.concat([proxyV2({ version: 3 }), Buffer.from(GET)])],
  ] as const) {
    test(`closes a proxy's connection without a word that begins with ${name}`, async () => {
      const before = refused.length;
      for (const url of [plain, secure]) {
        const answer = await sendRaw(url, bytes);
        assert.equal(answer.text, "");
        assert.notEqual(answer.closed, "open");
      }
      assert.deepEqual(refused.slice(before), ["proxy_header", "proxy_header"]);
    });
  }

  test("closes a proxy's connection whose header does not come in time, and one that ends before it", async (t) => {
    const before = refused.length;
    const silent = await opened(t, plain, "");
    const slow = await opened(t, secure, V1.slice(0, 20));
    await Promise.all([silent, slow].map((socket) => once(socket.resume(), "close")));
    assert.deepEqual(refused.slice(before), ["proxy_header", "proxy_header"]);
    const leaving = await opened(t, plain, V1.slice(0, 20));
    leaving.end();
    await once(leaving.resume(), "close");
  });

  test("lets connections be counted by the client that it names", async (t) => {
    const before = refused.length;
    const header = V1.replace("192.0.2.7", "192.0.2.99");
    const first = await opened(t, plain, header);
    const second = await opened(t, secure, header);
    await eventually(() => assert.equal(world.edge.connections, 2));
    const third = await sendRaw(plain, header + GET);
    assert.match(third.text, /^HTTP\/1\.1 503 .*"fault":"overloaded"/s);
    assert.deepEqual(refused.slice(before), ["address"]);
    assert.match((await sendRaw(plain, V1 + GET)).text, /^HTTP\/1\.1 200 /);
    first.destroy();
    second.destroy();
    await eventually(async () => assert.match((await sendRaw(plain, header + GET)).text, /^HTTP\/1\.1 200 /));
  });

  test("is not read from strangers: theirs is no HTTP, and they need none", async (t) => {
    const strict = await startScripted(
      { main: (req, res) => res.end(JSON.stringify(req.headers)) },
      {
        listen: {
          http: { host: "127.0.0.1", port: 0 },
          trustedProxies: ["203.0.113.0/24"],
          proxyProtocol: true,
        },
      },
    );
    t.after(() => strict.stop());
    assert.equal(forwardedFor((await sendRaw(strict.edge.httpUrl, GET)).text), "127.0.0.1");
    assert.match((await sendRaw(strict.edge.httpUrl, V1 + GET)).text, /^HTTP\/1\.1 400 /);
  });
});
