import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { promisify } from "node:util";
import { request } from "undici";
import { WebSocket, WebSocketServer } from "ws";
import type { Edge } from "../../src/edge.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

const skip =
  spawnSync("openssl", ["version"]).status === 0
    ? false
    : "openssl, which makes the certificates, is not here";

let directory: string;

/** A certificate of its own for these names, believed by this process. */
async function certificate(name: string, subjectAltName: string): Promise<{ key: string; cert: string }> {
  const [keyFile, certFile] = [path.join(directory, `${name}.key`), path.join(directory, `${name}.pem`)];
  const made = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", keyFile, "-out", certFile];
  const names = ["-subj", "/CN=region", "-addext", `subjectAltName=${subjectAltName}`];
  await promisify(execFile)("openssl", ["req", "-x509", ...made, ...names]);
  return { key: await readFile(keyFile, "utf8"), cert: await readFile(certFile, "utf8") };
}

async function httpsRegion(t: TestContext, options: { key: string; cert: string }): Promise<number> {
  const server: Server = createServer(options, (req, res) =>
    res.end(req.url === "/healthz" ? "" : "over TLS"),
  );
  new WebSocketServer({ server }).on("connection", (client) => client.send("over TLS"));
  server.on("tlsClientError", () => {});
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function edgeBefore(t: TestContext, endpoint: string): Promise<Edge> {
  const regions = { main: { role: "writer", endpoints: [endpoint] } };
  const world: ScriptedWorld = await startScripted({}, { regions });
  t.after(() => world.stop());
  return world.edge;
}

/** A client's Host must not decide which certificate is good. */
function ask(edge: Edge) {
  return request(edge.httpUrl, { headers: { host: "chosen-by-the-client.example" } });
}

describe("a region over https", { skip }, () => {
  let good: { key: string; cert: string };
  let elsewhere: { key: string; cert: string };

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "meridian-tls-"));
    good = await certificate("good", "DNS:localhost,IP:127.0.0.1");
    elsewhere = await certificate("elsewhere", "DNS:elsewhere.example");
    setDefaultCACertificates([good.cert, elsewhere.cert]);
  });

  after(async () => {
    setDefaultCACertificates(getCACertificates("bundled"));
    await rm(directory, { recursive: true });
  });

  for (const host of ["localhost", "127.0.0.1"]) {
    test(`serves requests and upgrades at https://${host}, whatever Host the client sends`, async (t) => {
      const edge = await edgeBefore(t, `https://${host}:${await httpsRegion(t, good)}`);
      const answer = await ask(edge);
      assert.deepEqual([answer.statusCode, await answer.body.text()], [200, "over TLS"]);
      const socket = new WebSocket(edge.httpUrl.replace("http", "ws"), { headers: { host: "evil.example" } });
      const [message] = await once(socket, "message");
      assert.equal(String(message), "over TLS");
      socket.terminate();
    });
  }

  test("is sent nothing when its certificate is for somebody else, and status says why", async (t) => {
    const edge = await edgeBefore(t, `https://localhost:${await httpsRegion(t, elsewhere)}`);
    const answer = await ask(edge);
    assert.equal(answer.statusCode, 502);
    assert.equal(((await answer.body.json()) as { fault: string }).fault, "connect_failed");
    assert.match(JSON.stringify(edge.table.status()), /ALTNAME/);
    const socket = new WebSocket(edge.httpUrl.replace("http", "ws"));
    const [error] = (await once(socket, "error")) as [Error];
    assert.match(error.message, /502/);
  });
});
