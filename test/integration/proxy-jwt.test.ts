import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Dispatcher, request } from "undici";
import { stringify } from "yaml";
import { loadConfigFile } from "../../src/config/load.ts";
import { type Edge, startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import { Issuer, unsignedToken } from "../support/jwt.ts";
import { sendRaw } from "../support/raw.ts";
import { startRedis } from "../support/redis.ts";
import { ScriptedRegion } from "../support/scripted.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });
const HOUR_AGO = Math.floor(Date.now() / 1_000) - 3_600;
const BEARER = { jwt: { header: "authorization", jwksFile: "jwks.json" } };
const SESSION = { jwt: { cookie: "session", jwksFile: "jwks.json" } };

/** Answers with the headers that a query asks for, and with the body it got; accepts upgrades. */
async function outspoken(t: TestContext): Promise<ScriptedRegion> {
  const answer: RequestListener = (req, res) => {
    const { searchParams } = new URL(req.url ?? "/", "http://region");
    for (const [name, value] of searchParams) res.setHeader(name, value);
    req.pipe(res);
  };
  const region = await new ScriptedRegion(answer).start();
  t.after(() => region.stop());
  region.server.on("upgrade", (_, socket) =>
    socket.end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
  );
  return region;
}

/** A folder with a configuration and the keys of an issuer, and edges that were started from it. */
class Site {
  readonly issuer = new Issuer();
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  writeKeys(...issuers: readonly Issuer[]): Promise<void> {
    return this.write("jwks.json", JSON.stringify({ keys: issuers.map((issuer) => issuer.jwk()) }));
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.#folder, name), text);
  }

  async startEdge(t: TestContext): Promise<Edge> {
    const configFile = join(this.#folder, "meridian.yaml");
    const loaded = await loadConfigFile(configFile, {});
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const edge = await startEdge({ config: loaded.config, log: SILENT, configFile });
    t.after(() => edge.stop(0));
    return edge;
  }
}

async function site(t: TestContext, identity: readonly unknown[], more: object = {}): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "meridian-jwt-"));
  t.after(() => rm(folder, { recursive: true }));
  const [writer, near] = [await outspoken(t), await outspoken(t)];
  const made = new Site(folder);
  await made.writeKeys(made.issuer);
  await made.write(
    "meridian.yaml",
    stringify({
      listen: { http: { host: "127.0.0.1", port: 0 } },
      admin: { port: 0 },
      secrets: ["a-secret-that-only-tests-use"],
      regions: {
        // No weight, so that pins alone bring readers here.
        writer: { role: "writer", endpoints: [writer.url], weight: 0 },
        near: { role: "replica", endpoints: [near.url] },
      },
      routing: { policy: "weighted", slowStart: "0ms" },
      log: { level: "silent" },
      health: { interval: "30s", timeout: "2s" },
      consistency: { graceWindow: "30s", identity },
      ...more,
    }),
  );
  return made;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function ask(
  { httpUrl }: Edge,
  method: Dispatcher.HttpMethod,
  headers: Record<string, string>,
  { path = "/", body = null }: { path?: string; body?: string | null } = {},
): Promise<{ reason: string; text: string }> {
  const answer = await request(`${httpUrl}${path}`, { method, headers, body });
  return { reason: String(answer.headers["x-meridian-reason"]), text: await answer.body.text() };
}

async function reasonOf(edge: Edge, headers: Record<string, string>): Promise<string> {
  return (await ask(edge, "GET", headers)).reason;
}

test("a user stays pinned through any edge when the token is renewed, and nobody else is", async (t) => {
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const made = await site(t, [BEARER], { redis: { url: redis.url } });
  const [one, other] = [await made.startEdge(t), await made.startEdge(t)];
  const token = (sub: string, exp: number) => made.issuer.token({ sub, exp }).then(bearer);
  const written = await ask(one, "POST", await token("alice", HOUR_AGO), { body: "x".repeat(100_000) });
  assert.deepEqual([written.reason, written.text.length], ["write", 100_000]);
  assert.equal(await reasonOf(other, await token("alice", HOUR_AGO + 7_200)), "pin");
  assert.equal(await reasonOf(other, await token("bob", HOUR_AGO)), "weight");
});

test("a token that does not verify is nobody's: it is not pinned, and pins nobody", async (t) => {
  const made = await site(t, [BEARER]);
  const edge = await made.startEdge(t);
  const [alice, forged] = [
    await made.issuer.token({ sub: "alice" }),
    await new Issuer().token({ sub: "alice" }),
  ];
  for (const stranger of [forged, unsignedToken({ sub: "alice" }), "garbage"]) {
    await ask(edge, "POST", bearer(stranger));
    assert.equal(await reasonOf(edge, bearer(alice)), "weight");
  }
  await ask(edge, "POST", bearer(alice));
  assert.equal(await reasonOf(edge, bearer(alice)), "pin");
  for (const stranger of [forged, unsignedToken({ sub: "alice" }), "garbage"])
    assert.equal(await reasonOf(edge, bearer(stranger)), "weight");
});

test("without keys a token is believed", async (t) => {
  const edge = await (await site(t, [{ jwt: { header: "authorization", claim: "uid" } }])).startEdge(t);
  await ask(edge, "POST", bearer(unsignedToken({ uid: 7, exp: 1 })));
  assert.equal(await reasonOf(edge, bearer(unsignedToken({ uid: 7, exp: 2 }))), "pin");
  assert.equal(await reasonOf(edge, bearer(unsignedToken({ uid: 8 }))), "weight");
});

test("the first read after a login is covered, whichever token of the user it brings", async (t) => {
  const made = await site(t, [SESSION]);
  const edge = await made.startEdge(t);
  const [set, renewed] = [
    await made.issuer.token({ sub: "alice", exp: 1 }),
    await made.issuer.token({ sub: "alice", exp: 2 }),
  ];
  const path = `/login?${new URLSearchParams({ "set-cookie": `session=${set}; HttpOnly; Path=/` })}`;
  await ask(edge, "POST", {}, { path });
  assert.equal(await reasonOf(edge, { cookie: `session=${set}` }), "pin");
  assert.equal(await reasonOf(edge, { cookie: `session=${renewed}` }), "pin");
});

test("an upgrade is pinned by a token that this edge has not seen before", async (t) => {
  const made = await site(t, [BEARER]);
  const edge = await made.startEdge(t);
  const token = (exp: number) => made.issuer.token({ sub: "alice", exp });
  await ask(edge, "POST", bearer(await token(1)));
  const { text } = await sendRaw(
    edge.httpUrl,
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${await token(2)}\r\n\r\n`,
  );
  assert.match(text, /^HTTP\/1\.1 101 /);
  assert.match(text, /x-meridian-reason: pin\r\n/i);
});

test("an operator asks by the claim or by a token, and is told what a new token would meet", async (t) => {
  const made = await site(t, [BEARER]);
  const edge = await made.startEdge(t);
  const token = (exp: number) => made.issuer.token({ sub: "alice", exp });
  await ask(edge, "POST", bearer(await token(1)));
  const call = async (path: string, body: unknown) => {
    const headers = { "content-type": "application/json" };
    const answer = await request(`${edge.adminUrl}${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return (await answer.body.json()) as { pinned?: boolean; decision?: { reason?: string } };
  };
  const looked = (value: string) => call("/v1/pins/lookup", { kind: "jwt:sub", value });
  assert.equal((await looked("alice")).pinned, true);
  assert.equal((await looked(`Bearer ${await token(2)}`)).pinned, true);
  assert.equal((await looked("bob")).pinned, false);
  const explained = await call("/v1/explain", {
    method: "GET",
    path: "/",
    headers: { Authorization: `Bearer ${await token(3)}` },
  });
  assert.match(JSON.stringify(explained), /"reason":"pin"/);
});

test("a reload reads the keys again, and keeps the old ones when the new are none", async (t) => {
  const made = await site(t, [BEARER]);
  const edge = await made.startEdge(t);
  const young = new Issuer();
  const token = await young.token({ sub: "alice" });
  await ask(edge, "POST", bearer(await made.issuer.token({ sub: "alice" })));
  assert.equal(await reasonOf(edge, bearer(token)), "weight");

  await made.writeKeys(made.issuer, young);
  const { result } = await edge.reload();
  assert.equal(result, "applied");
  assert.equal(await reasonOf(edge, bearer(token)), "pin");

  await made.write("jwks.json", "{}");
  const rejected = await edge.reload();
  assert.ok(rejected.result === "rejected");
  assert.match(rejected.problems[0]?.message ?? "", /^consistency\.identity\[0\]\.jwt\.jwksFile: no JWKS/);
  assert.equal(await reasonOf(edge, bearer(await young.token({ sub: "alice", exp: 2 }))), "pin");
});
