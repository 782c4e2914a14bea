import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import type { TlsOptions } from "node:tls";
import { request } from "undici";
import { WebSocket, WebSocketServer } from "ws";
import { Authority, type Issued, withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

describe("a region whose certificate is of an authority of its own", { skip: withoutOpenssl }, () => {
  let authority: Authority;
  let stranger: Authority;
  let good: Issued;
  let client: Issued;

  before(async () => {
    [authority, stranger] = await Promise.all([Authority.create(), Authority.create()]);
    [good, client] = await Promise.all([authority.issue(), authority.issue({ names: ["edge.example"] })]);
  });
  after(() => Promise.all([authority.remove(), stranger.remove()]));

  /** Counts what it is asked, and says who asked. */
  async function region(t: TestContext, { cert, key }: Issued, options: TlsOptions = {}) {
    const seen = { requests: 0, clients: [] as string[] };
    const server: Server = createServer({ cert, key, ...options }, (req, res) => {
      if (req.url !== "/healthz") seen.requests += 1;
      const socket = req.socket as import("node:tls").TLSSocket;
      seen.clients.push(String(socket.getPeerCertificate?.().subjectaltname ?? ""));
      res.end(req.url === "/healthz" ? "" : "over TLS");
    });
    new WebSocketServer({ server }).on("connection", (socket) => socket.send("over TLS"));
    server.on("tlsClientError", () => {});
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port: (server.address() as AddressInfo).port, server, seen };
  }

  async function edge(t: TestContext, regions: Record<string, object>): Promise<ScriptedWorld> {
    const world = await startScripted(
      {},
      {
        regions,
        health: { interval: "500ms", timeout: "400ms", fall: 1, rise: 1 },
        log: { level: "silent" },
      },
      { folder: authority.folder },
    );
    t.after(() => world.stop());
    return world;
  }

  const at = (port: number, host = "localhost") => ({
    role: "writer",
    endpoints: [`https://${host}:${port}`],
  });
  const causeOf = ({ edge: { table } }: ScriptedWorld, index = 0) =>
    table.status()[index]?.endpoints[0]?.lastProbe?.cause ?? "";
  const healthOf = ({ edge: { table } }: ScriptedWorld, index = 0) => table.status()[index]?.health;

  async function ask({ edge: { httpUrl } }: ScriptedWorld): Promise<readonly [number, string]> {
    const { statusCode, body } = await request(httpUrl, {
      headers: { host: "chosen-by-the-client.example" },
    });
    return [statusCode, await body.text()];
  }

  test("is believed when the configuration names that authority: probes, requests and tunnels", async (t) => {
    const { port } = await region(t, good);
    const world = await edge(t, { main: { ...at(port), tls: { caFile: "authority.pem" } } });
    assert.equal(healthOf(world), "up");
    assert.deepEqual(await ask(world), [200, "over TLS"]);
    const socket = new WebSocket(world.edge.httpUrl.replace("http", "ws"), {
      headers: { host: "evil.example" },
    });
    const [message] = await once(socket, "message");
    assert.equal(String(message), "over TLS");
    socket.terminate();
  });

  for (const [name, tls] of [
    ["nobody says whom to believe", {}],
    ["the configuration names another authority", { tls: { caFile: "stranger" } }],
  ] as const) {
    test(`is down, says why, and is asked nothing, when ${name}, whatever the environment says`, async (t) => {
      const given = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
      t.after(() => {
        if (given === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
        else process.env.NODE_TLS_REJECT_UNAUTHORIZED = given;
      });
      const { port, seen } = await region(t, good);
      const other = await region(t, good);
      const believed = { ...at(other.port), role: "replica", tls: { caFile: "authority.pem" } };
      const files = "tls" in tls ? { tls: { caFile: stranger.certFile } } : {};
      const world = await edge(t, { main: { ...at(port), ...files }, other: believed });
      assert.equal(healthOf(world), "down");
      assert.match(causeOf(world), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|unable to (verify|get)|self.signed/i);
      assert.deepEqual(await ask(world), [200, "over TLS"]);
      const socket = new WebSocket(world.edge.httpUrl.replace("http", "ws"));
      await once(socket, "message");
      socket.terminate();
      assert.deepEqual([seen.requests, seen.clients], [0, []]);
      assert.equal(healthOf(world, 1), "up");
    });
  }

  test("is down when its certificate has expired, and the others are not", async (t) => {
    const expired = await authority.issue({ days: -1 });
    const { port, seen } = await region(t, expired);
    const other = await region(t, good);
    const tls = { caFile: "authority.pem" };
    const world = await edge(t, {
      main: { ...at(port), tls },
      other: { ...at(other.port), role: "replica", tls },
    });
    assert.match(causeOf(world), /CERT_HAS_EXPIRED/);
    assert.deepEqual([healthOf(world), healthOf(world, 1)], ["down", "up"]);
    assert.deepEqual(await ask(world), [200, "over TLS"]);
    assert.deepEqual([seen.requests, other.seen.requests], [0, 1]);
  });

  test("comes back when it has renewed it", async (t) => {
    const expired = await authority.issue({ days: -1 });
    const { port, server } = await region(t, expired);
    const world = await edge(t, { main: { ...at(port), tls: { caFile: "authority.pem" } } });
    assert.equal(healthOf(world), "down");
    server.setSecureContext({ cert: good.cert, key: good.key });
    await eventually(() => assert.equal(healthOf(world), "up"));
    assert.deepEqual(await ask(world), [200, "over TLS"]);
  });

  test("may be found under another name than its certificate is for, which the configuration gives", async (t) => {
    const named = await authority.issue({ names: ["app.internal"] });
    const asked: string[] = [];
    const { port } = await region(t, named, {
      SNICallback: (servername, found) => {
        asked.push(servername);
        found(null);
      },
    });
    for (const host of ["127.0.0.1", "localhost"]) {
      const wrong = await edge(t, { main: { ...at(port, host), tls: { caFile: "authority.pem" } } });
      assert.match(causeOf(wrong), /ALTNAME/);
      await wrong.stop();
      asked.length = 0;
      const tls = { caFile: "authority.pem", servername: "App.internal" };
      const world = await edge(t, { main: { ...at(port, host), tls } });
      assert.deepEqual(await ask(world), [200, "over TLS"]);
      const socket = new WebSocket(world.edge.httpUrl.replace("http", "ws"));
      await once(socket, "message");
      socket.terminate();
      assert.deepEqual([...new Set(asked)], ["app.internal"]);
      await world.stop();
    }
  });

  test("is shown this edge's certificate, when it wants one, and turns away who has none", async (t) => {
    const wants = { requestCert: true, rejectUnauthorized: true, ca: authority.cert };
    const { port, seen } = await region(t, good, wants);
    const tls = { caFile: "authority.pem" };
    const unknown = await edge(t, { main: { ...at(port), tls } });
    assert.equal(healthOf(unknown), "down");
    assert.deepEqual(seen.clients, []);
    await unknown.stop();
    const identity = { certFile: client.certFile, keyFile: client.keyFile };
    const world = await edge(t, { main: { ...at(port), tls: { ...tls, ...identity } } });
    assert.deepEqual(await ask(world), [200, "over TLS"]);
    const socket = new WebSocket(world.edge.httpUrl.replace("http", "ws"));
    await once(socket, "message");
    socket.terminate();
    assert.ok(seen.clients.length > 1);
    assert.deepEqual([...new Set(seen.clients)], ["DNS:edge.example"]);
    const metrics = await (await fetch(`${world.edge.adminUrl}/metrics`)).text();
    assert.match(metrics, /certificate_expiry_timestamp_seconds\{certificate="regions\.main\.tls"\} \d+/);

    const renewed = await authority.issue({ names: ["renewed.example"] });
    await authority.renew(client, renewed);
    seen.clients.length = 0;
    await eventually(
      async () => {
        await ask(world);
        assert.equal(seen.clients.at(-1), "DNS:renewed.example");
      },
      { withinMs: 10_000 },
    );
    assert.equal(healthOf(world), "up");
  });

  test("is asked in no other way than over TLS", async (t) => {
    const first: number[] = [];
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (chunk: Buffer) => {
        first.push(chunk[0] ?? -1);
        socket.destroy();
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => server.close());
    const world = await edge(t, { main: at((server.address() as AddressInfo).port) });
    assert.equal((await ask(world))[0], 502);
    const socket = new WebSocket(world.edge.httpUrl.replace("http", "ws"));
    await once(socket, "error");
    await eventually(() => first.length >= 3);
    // The first byte of every record of a handshake.
    assert.deepEqual([...new Set(first)], [0x16]);
  });

  test("whose authority cannot be read is a problem of the configuration at its line", async (t) => {
    const { port } = await region(t, good);
    for (const [caFile, expected] of [
      ["no-such.pem", /regions\.main\.tls\.caFile: cannot be read: no such file/],
      [client.keyFile, /regions\.main\.tls\.caFile: no certificate in PEM/],
    ] as const) {
      await assert.rejects(edge(t, { main: { ...at(port), tls: { caFile } } }), expected);
    }
  });
});
