import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { Agent, get, request } from "node:https";
import { connect as connectInClear } from "node:net";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { WebSocket, WebSocketServer } from "ws";
import { Authority, type Issued, withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

describe("the edge over TLS", { skip: withoutOpenssl }, () => {
  let authority: Authority;
  let main: Issued;
  let shop: Issued;
  let wildcard: Issued;
  let world: ScriptedWorld;
  let url: URL;
  const sockets = new WebSocketServer({ noServer: true });

  before(async () => {
    authority = await Authority.create();
    [main, shop, wildcard] = await Promise.all([
      authority.issue(),
      authority.issue({ names: ["shop.example"], algorithm: "rsa" }),
      authority.issue({ names: ["*.shop.example"] }),
    ]);
    const [first, second] = [shop, wildcard].map(({ certFile, keyFile }) => ({ certFile, keyFile }));
    const { certFile, keyFile } = main;
    const certificates = [first, { ...second, servernames: ["*.shop.example", "blog.example"] }];
    world = await startScripted(
      { main: (req, res) => res.end(JSON.stringify(req.headers)) },
      {
        listen: {
          http: { host: "127.0.0.1", port: 0 },
          https: { host: "127.0.0.1", port: 0, certFile, keyFile, certificates },
        },
        log: { level: "silent" },
      },
      { folder: authority.folder },
    );
    url = new URL(world.edge.httpsUrl ?? "");
    world.regions.main?.server.on("upgrade", (req, socket, head) =>
      sockets.handleUpgrade(req, socket, head, (client) => client.send("through TLS")),
    );
  });
  after(async () => {
    await world.stop();
    await authority.remove();
  });

  async function handshake(t: TestContext, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = connect({ host: "127.0.0.1", port: Number(url.port), ca: authority.cert, ...options });
    t.after(() => socket.destroy());
    await once(socket, "secureConnect");
    return socket;
  }

  async function answerOver(socket: TLSSocket): Promise<string> {
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += chunk;
    return text;
  }

  test("serves requests, and tells the region so", async (t) => {
    const text = await answerOver(await handshake(t));
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /"x-forwarded-proto":"https"/);
    assert.match(text, /"x-forwarded-port":"443"/);
    assert.match(text, /"x-forwarded-for":"127\.0\.0\.1"/);
    assert.match(text, /set-cookie: meridian_affinity=[^\r]*; Secure/i);
  });

  test("carries WebSockets", async (t) => {
    const socket = new WebSocket(`wss://localhost:${url.port}`, { ca: authority.cert });
    t.after(() => socket.terminate());
    const [message] = await once(socket, "message");
    assert.equal(String(message), "through TLS");
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    test(`speaks ${version}`, async (t) => {
      const socket = await handshake(t, { minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      assert.ok(socket.authorized);
      assert.match(await answerOver(socket), /^HTTP\/1\.1 200 /);
    });
  }

  for (const version of ["TLSv1", "TLSv1.1"] as const) {
    test(`refuses ${version}, whatever the client would put up with`, async (t) => {
      const old = { minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" } as const;
      await assert.rejects(handshake(t, old), /protocol version|unsupported protocol/i);
    });
  }

  for (const cipher of [
    "AES128-GCM-SHA256",
    "AES256-SHA",
    "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384",
    "NULL-SHA256",
  ]) {
    test(`refuses the suite ${cipher}, which loses its secret with the key, or is not sealed`, async (t) => {
      const weak = { maxVersion: "TLSv1.2", ciphers: `${cipher}:@SECLEVEL=0` } as const;
      await assert.rejects(handshake(t, weak), /handshake failure/i);
    });
  }

  test("chooses with the client between AES and ChaCha20", async (t) => {
    for (const cipher of ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"]) {
      const socket = await handshake(t, { maxVersion: "TLSv1.2", ciphers: cipher });
      assert.equal(socket.getCipher().name, cipher);
    }
  });

  for (const [servername, expected] of [
    ["localhost", "localhost"],
    ["shop.example", "shop.example"],
    ["SHOP.example", "shop.example"],
    ["www.shop.example", "*.shop.example"],
    ["a.b.shop.example", "localhost"],
    ["blog.example", "*.shop.example"],
    ["unknown.example", "localhost"],
    ["", "localhost"],
  ] as const) {
    test(`shows the certificate of ${expected} to who asks for ${servername || "no name"}`, async (t) => {
      const socket = await handshake(t, { servername, checkServerIdentity: () => undefined });
      assert.match(
        socket.getPeerCertificate().subjectaltname ?? "",
        new RegExp(`DNS:${expected.replace("*", "\\*")}`),
      );
    });
  }

  test("agrees on h2 or http/1.1 by ALPN, does without ALPN, and refuses other protocols alone", async (t) => {
    assert.equal((await handshake(t, { ALPNProtocols: ["http/1.1"] })).alpnProtocol, "http/1.1");
    assert.equal((await handshake(t, { ALPNProtocols: ["http/1.1", "h2"] })).alpnProtocol, "h2");
    assert.equal((await handshake(t, { ALPNProtocols: ["spdy/3", "http/1.1"] })).alpnProtocol, "http/1.1");
    assert.equal((await handshake(t)).alpnProtocol, false);
    await assert.rejects(handshake(t, { ALPNProtocols: ["spdy/3"] }), /no application protocol/i);
  });

  test("answers nothing to who speaks in clear, and goes on", async (t) => {
    const answer = await sendRaw(`http://127.0.0.1:${url.port}`, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert.doesNotMatch(answer.text, /HTTP/);
    assert.notEqual(answer.closed, "open");
    assert.match(await answerOver(await handshake(t)), /^HTTP\/1\.1 200 /);
  });

  test("does not renegotiate", async (t) => {
    const socket = await handshake(t, { maxVersion: "TLSv1.2" });
    const renegotiated = new Promise<Error | null>((resolve) => {
      socket.on("error", resolve);
      socket.renegotiate({}, resolve);
    });
    assert.ok((await renegotiated) instanceof Error);
  });

  test("resumes a session of the client's, with the same certificate", async (t) => {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      const first = connect({ host: "127.0.0.1", port: Number(url.port), ca: authority.cert, maxVersion });
      const tickets: Buffer[] = [];
      first.on("session", (ticket: Buffer) => tickets.push(ticket));
      await answerOver(first);
      const again = await handshake(t, { maxVersion, session: tickets.at(-1) });
      assert.ok(again.isSessionReused(), maxVersion);
    }
  });

  test("shows a renewed certificate within seconds without a failed handshake, and keeps connections", async (t) => {
    const old = await handshake(t);
    const events: string[] = [];
    const warnings: string[] = [];
    world.edge.events.on("certificatesRenewed", ({ changes }) => events.push(...changes));
    world.edge.events.on("warned", ({ what, detail }) => warnings.push(`${what}: ${detail}`));
    const renewed = await authority.issue({ names: ["localhost", "127.0.0.1", "renewed.example"] });
    const load = await Load.start(url, authority.cert);
    t.after(() => load.stop());
    await authority.renew(main, renewed);
    const seen = async () =>
      (await handshake(t, { servername: "localhost" })).getPeerCertificate().subjectaltname;
    await eventually(async () => assert.match((await seen()) ?? "", /renewed\.example/), {
      withinMs: 10_000,
    });
    assert.deepEqual(events, [
      `listen.https.certFile: other content of ${main.certFile}`,
      `listen.https.keyFile: other content of ${main.keyFile}`,
    ]);

    await writeFile(main.certFile, "renewed, but by somebody who failed");
    await eventually(
      () => assert.match(warnings.join(), /certificate not renewed: listen\.https\.certFile: no cert/),
      {
        withinMs: 10_000,
      },
    );
    assert.match((await seen()) ?? "", /renewed\.example/);
    const again = await authority.issue({ names: ["localhost", "127.0.0.1", "reloaded.example"] });
    await authority.renew(main, again);
    assert.equal((await world.edge.reload()).result === "rejected", false);
    await eventually(async () => assert.match((await seen()) ?? "", /reloaded\.example/));
    assert.match(await answerOver(old), /^HTTP\/1\.1 200 /);
    const { failed, answered } = await load.stop();
    assert.deepEqual(failed, []);
    assert.ok(answered > 20, `${answered}`);
  });

  test("a reload with a certificate that cannot be used changes nothing, and says where", async (t) => {
    const file = join(authority.folder, "meridian.yaml");
    await authority.renew(main, await authority.issue());
    await writeFile(main.keyFile, "nothing");
    const answer = await world.edge.reload();
    assert.ok(answer.result === "rejected");
    assert.match(answer.problems[0]?.message ?? "", /^listen\.https\.keyFile: no private key in PEM/, file);
    assert.match(await answerOver(await handshake(t)), /^HTTP\/1\.1 200 /);
    await authority.renew(main, await authority.issue());
    assert.notEqual((await world.edge.reload()).result, "rejected");
  });

  test("tells when each certificate expires", async () => {
    const text = await (await fetch(`${world.edge.adminUrl}/metrics`)).text();
    for (const place of ["listen.https", "listen.https.certificates[0]", "listen.https.certificates[1]"]) {
      const line = text
        .split("\n")
        .find((each) => each.includes(`expiry_timestamp_seconds{certificate="${place}"}`));
      const days = (Number(line?.split(" ")[1]) - Date.now() / 1_000) / 86_400;
      assert.ok(days > 88 && days < 91, `${place}: ${line}`);
    }
  });
});

/** Clients that shake hands anew for each request, and count what goes wrong. */
class Load {
  readonly failed: string[] = [];
  answered = 0;
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  static async start(url: URL, ca: string): Promise<Load> {
    const load = new Load();
    const client = async () => {
      while (!load.#stopped) await load.#once(url, ca);
    };
    load.#running = Promise.all([client(), client()]);
    await eventually(() => load.answered > 2);
    return load;
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#running;
    return this;
  }

  #once({ port }: URL, ca: string): Promise<void> {
    return new Promise((resolve) => {
      const fresh = { agent: new Agent({ maxCachedSessions: 0 }), ca };
      const asked = get({ host: "127.0.0.1", port, servername: "localhost", ...fresh }, (res) => {
        res.resume();
        res.once("close", () => {
          this.answered += 1;
          resolve();
        });
      });
      asked.once("error", (error) => {
        this.failed.push(error.message);
        resolve();
      });
    });
  }
}

describe("an edge that stops", { skip: withoutOpenssl }, () => {
  test("lets a request over TLS end, and cuts a client that has not shaken hands", async (t) => {
    const authority = await Authority.create();
    t.after(() => authority.remove());
    const { certFile, keyFile } = await authority.issue();
    const asked = Promise.withResolvers<void>();
    const may = Promise.withResolvers<void>();
    const world = await startScripted(
      {
        main: async (_req, res) => {
          asked.resolve();
          await may.promise;
          res.end("to its end");
        },
      },
      {
        listen: {
          http: { host: "127.0.0.1", port: 0 },
          https: { host: "127.0.0.1", port: 0, certFile, keyFile },
        },
      },
      { folder: authority.folder },
    );
    t.after(() => world.stop());
    const { port } = new URL(world.edge.httpsUrl ?? "");
    const silent = connectInClear(Number(port), "127.0.0.1");
    t.after(() => silent.destroy());
    await once(silent, "connect");
    const req = request({
      host: "127.0.0.1",
      port,
      servername: "localhost",
      ca: authority.cert,
      agent: false,
    });
    const answering = once(req.end(), "response");
    await asked.promise;
    const stopped = world.edge.stop(5_000);
    const cut = once(silent.resume(), "close");
    await cut;
    may.resolve();
    const [res] = await answering;
    const chunks = await Array.fromAsync(res as AsyncIterable<Buffer>);
    assert.equal(Buffer.concat(chunks).toString(), "to its end");
    await stopped;
  });
});
