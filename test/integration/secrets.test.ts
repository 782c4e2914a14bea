import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { request } from "undici";
import { parse, stringify } from "yaml";
import { validateCommand } from "../../src/config/validate.ts";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { createLogger } from "../../src/observe/log.ts";
import { LogSink } from "../../src/observe/sink.ts";
import { startTestEdge } from "../support/edge.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { sendRaw } from "../support/raw.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";
import { listen } from "./admin-edge.ts";

/** In every secret and everything a user says of himself; nothing else has it. */
const MARK = "hunter2";
const OPERATOR_TOKEN = `${MARK}-operator`;
const PIN_KEY = `${MARK}-key-of-the-application`;
const sha256 = createHash("sha256").update(OPERATOR_TOKEN).digest("hex");

/** What must not show: the mark, as it is and as it may be encoded, and what a token could be guessed from. */
const HIDDEN = [
  MARK,
  Buffer.from(MARK).toString("hex"),
  Buffer.from(MARK).toString("base64").slice(0, 8),
  sha256,
];

/** Throws at SIGUSR2 what a library would: an error with all that it was given hung on it; and rejects with another. */
const CRASHING = `data:text/javascript,process.on('SIGUSR2', () => {
  const secret = process.env.MERIDIAN_SECRET;
  const given = { command: { name: 'auth', args: [secret] }, input: 'redis://:' + secret, headers: { cookie: secret } };
  process.report.excludeNetwork = true;
  console.error('report', JSON.stringify(process.report.getReport()));
  Promise.reject(Object.assign(new Error('rejected at redis://:' + secret + '@h'), given));
  throw Object.assign(new Error('crashed at https://h/x?token=' + secret, { cause: given }), given);
})`;

function configuration(redisUrl: string): string {
  return stringify({
    log: { level: "trace" },
    secrets: [`\${MERIDIAN_SECRET}`, `${MARK}-the-one-before`],
    admin: { tokens: [{ name: "ops", role: "operator", sha256 }] },
    redis: { url: redisUrl },
    consistency: {
      pinKeys: [PIN_KEY],
      identity: [{ header: "authorization" }, { cookie: "session" }, { header: "x-user" }],
    },
    failover: {
      hook: { url: `https://ops:${MARK}@127.0.0.1:1/promote?key=${MARK}`, token: `${MARK}-to-the-hook` },
    },
  });
}

/** Everything that says who a user is, and what he asks for behind the question mark. */
const USER = {
  authorization: `Bearer ${MARK}-of-alice`,
  cookie: `session=${MARK}-session; meridian_pin=${MARK}; meridian_affinity=${MARK}; meridian_id=${MARK}`,
  "x-user": `${MARK}-alice`,
  "x-meridian-token": `${MARK}.${MARK}`,
};
const QUERY = `?token=${MARK}`;
const AS_OPERATOR = { authorization: `Bearer ${OPERATOR_TOKEN}` };

/** What was answered, by either listener, or written somewhere; each with the name of what it is. */
const seen: (readonly [what: string, text: string])[] = [];
const statuses = new Set<number>();

/** Calls, and keeps what Meridian said: of a region's answer only the head, for the region may say what it likes. */
async function call(url: string, options: Parameters<typeof request>[1] = {}) {
  const answer = await request(url, options);
  const text = await answer.body.text();
  const own = answer.headers["x-meridian-region"] === undefined;
  const { origin, pathname } = new URL(url);
  seen.push([
    `${options?.method ?? "GET"} ${origin}${pathname}`,
    JSON.stringify(answer.headers) + (own ? text : ""),
  ]);
  statuses.add(answer.statusCode);
  return { status: answer.statusCode, headers: answer.headers, text };
}

describe("secrets, identities and query strings", () => {
  let world: SimulatedWorld;
  let folder: string;
  let redis: RedisServer;
  let stored: string;
  let impostor: RedisServer | undefined;
  let edge: EdgeProcess;
  let stream: Awaited<ReturnType<typeof listen>>;

  before(async () => {
    world = await startWorld();
    folder = await mkdtemp(path.join(tmpdir(), "meridian-secrets-"));
    const dump = ["--dir", folder, "--dbfilename", "dump.rdb", "--rdbcompression", "no"];
    redis = await startRedis({ options: ["--requirepass", `${MARK}-redis`, ...dump] });
    const yaml = configuration(`redis://:${MARK}-redis@127.0.0.1:${redis.port}`);
    edge = await startEdgeProcess(edgeYaml(world, yaml), {
      environment: {
        MERIDIAN_SECRET: `${MARK}-from-the-environment`,
        NODE_OPTIONS: `--import="${CRASHING}"`,
      },
    });
    stream = await listen(edge.adminUrl, AS_OPERATOR);
    await users();
    await strangers();
    stored = await everythingInRedis();
    await operators();
    await faults();
  });

  after(async () => {
    stream?.stop();
    await edge?.kill();
    await redis?.stop();
    await impostor?.stop();
    await world?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function everythingInRedis(): Promise<string> {
    await redis.command(`AUTH ${MARK}-redis\r\nSAVE`);
    return readFile(path.join(folder, "dump.rdb"), "latin1");
  }

  async function users(): Promise<void> {
    for (const method of ["GET", "PUT", "GET", "DELETE", "OPTIONS"] as const) {
      await call(`${edge.httpUrl}/items/a${QUERY}`, { method, headers: USER });
    }
    const principal = { kind: "header:x-user", value: USER["x-user"] };
    for (const key of [PIN_KEY, `${MARK}-wrong`]) {
      await call(`${edge.httpUrl}/.meridian/pins${QUERY}`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify(principal),
      });
    }
    await call(`${edge.httpUrl}/.meridian/pins`, {
      method: "POST",
      headers: { authorization: `Bearer ${PIN_KEY}`, "content-type": "application/json" },
      body: `{ "kind": "${MARK}`,
    });
  }

  async function strangers(): Promise<void> {
    const host = `host: h\r\nauthorization: Bearer ${MARK}\r\ncookie: session=${MARK}`;
    const requests = [
      `GET /${QUERY} HTTP/1.1\r\n${host}\r\nx-user: ${MARK}\0\r\n\r\n`,
      `POST /${QUERY} HTTP/1.1\r\n${host}\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `GET http://user:${MARK}@h/${QUERY} HTTP/1.1\r\n${host}\r\nconnection: close\r\n\r\n`,
      `GET /%zz${QUERY} HTTP/1.1\r\n${host}\r\nconnection: close\r\n\r\n`,
      `GET /${QUERY} HTTP/1.1\r\n${host}\r\nhost: ${MARK}\r\nconnection: close\r\n\r\n`,
      `GET /${QUERY} HTTP/1.1\r\n${host}\r\nx-large: ${MARK.repeat(10_000)}\r\n\r\n`,
      `${MARK} /${QUERY} HTTP/1.1\r\n${host}\r\nconnection: close\r\n\r\n`,
      `GET /${QUERY} HTTP/1.1\r\n${host}\r\nconnection: upgrade\r\nupgrade: ${MARK}\r\n\r\n`,
      `GET /${QUERY} HTTP/1.1\r\n${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${MARK}\r\n\r\n`,
      `${MARK}\r\n\r\n`,
    ];
    const targets = [edge.httpUrl, edge.adminUrl];
    await Promise.all(
      targets.flatMap((target) =>
        requests.map(async (bytes) => {
          const { text } = await sendRaw(target, bytes, { forMs: 1_500 });
          const [head = "", body = ""] = text.split("\r\n\r\n");
          const own = !/^x-meridian-region:/im.test(head);
          seen.push([`${target}: ${bytes.slice(0, 30)}`, head + (own ? body : "")]);
        }),
      ),
    );
  }

  async function operators(): Promise<void> {
    const { adminUrl } = edge;
    const post = (path: string, body: unknown, headers: object = AS_OPERATOR) =>
      call(`${adminUrl}${path}`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
      });
    for (const value of [USER.authorization, `${MARK}-nobody`]) {
      await post("/v1/pins/lookup", { kind: "header:authorization", value });
      await post("/v1/pins/release", { kind: "header:authorization", value });
    }
    await post("/v1/pins/lookup", `{"kind":"header:authorization","value":"${MARK}`);
    await post("/v1/pins/release", { kind: "cookie:session", value: { deep: MARK } });
    await post("/v1/pins/release", { kind: "cookie:other", value: MARK });
    await post(
      "/v1/pins/release",
      { kind: "cookie:session", value: MARK },
      { authorization: `Bearer ${MARK}` },
    );
    await post("/v1/explain", { method: "GET", path: `/items/a${QUERY}`, headers: USER });
    await post("/v1/explain", { method: "GET", path: MARK, headers: USER });
    await call(`${adminUrl}/v1/status${QUERY}`, { headers: { ...AS_OPERATOR, cookie: USER.cookie } });
    await call(`${adminUrl}/v1/regions/%zz${QUERY}`, { headers: AS_OPERATOR });
    const { headers } = await call(`${edge.httpUrl}/items/a${QUERY}`, { headers: USER });
    await call(`${adminUrl}/v1/decisions/${headers["x-request-id"]}`, { headers: AS_OPERATOR });

    const move = await post("/v1/write-region", { region: "eu-west", reason: "a reason", force: true });
    assert.match(move.text, /the hook failed/);

    await editConfig((config) => {
      config.secrets.unshift(`${MARK}-a-newer-secret`);
      config.redis.url = config.redis.url.replace(`${MARK}-redis`, `${MARK}-other`);
      config.consistency.pinKeys.push(`${MARK}-a-newer-key-of-it`);
      config.admin.tokens[0].sha256 = createHash("sha256").update(`${MARK}-new`).digest("hex");
    });
    await post("/v1/config/reload?dryRun=true", {});
    const applied = await post("/v1/config/reload", {});
    assert.equal(applied.status, 200, applied.text);
    assert.match(applied.text, /secrets: .*redis\.url: changed|redis\.url: changed.*secrets: /s);
    await editConfig((config) => {
      config.secrets = [MARK, { key: MARK }];
      config.redis = { url: `http://:${MARK}@h`, sentinels: [`x:${MARK}@h:1`], passwort: MARK };
      config.consistency.pinKeys = [`${MARK}-the-one-before`, 7];
    });
    const rejected = await post("/v1/config/reload", {});
    assert.equal(rejected.status, 422, rejected.text);
    assert.ok(JSON.parse(rejected.text).problems.length >= 4, rejected.text);
  }

  async function editConfig(edit: (config: ReturnType<typeof parse>) => void): Promise<void> {
    const config = parse(await readFile(edge.configFile, "utf8"));
    edit(config);
    await writeFile(edge.configFile, stringify(config));
  }

  async function faults(): Promise<void> {
    edge.child.kill("SIGUSR2");
    await eventually(() => edge.logs().includes("uncaughtException"));
    await redis.kill();
    for (const method of ["PUT", "GET"] as const) {
      await call(`${edge.httpUrl}/items/a${QUERY}`, { method, headers: USER });
    }
    await eventually(() => edge.logs().includes('"redis down"'));
    const headers = { ...AS_OPERATOR, "content-type": "application/json" };
    const body = JSON.stringify({ kind: "cookie:session", value: MARK });
    for (const path of ["lookup", "release"]) {
      await call(`${edge.adminUrl}/v1/pins/${path}`, { method: "POST", headers, body });
    }
    const drain = JSON.stringify({ reason: "a reason", force: true });
    await call(`${edge.adminUrl}/v1/regions/ap-south/drain`, { method: "POST", headers, body: drain });
    // Back, and with another password than the edge has.
    impostor = await startRedis({ options: ["--requirepass", "another", "--port", `${redis.port}`] });
    await eventually(async () => assert.match(await redis.command("AUTH another\r\nACL LOG"), /auth/), {
      withinMs: 10_000,
    });
    for (const region of world.regions) await region.kill();
    for (const method of ["PUT", "GET", "GET", "GET"] as const) {
      await call(`${edge.httpUrl}/items/a${QUERY}`, { method, headers: USER });
    }
  }

  function assertHidden(what: string, text: string): void {
    for (const hidden of HIDDEN) {
      const at = text.indexOf(hidden);
      assert.equal(at, -1, `${what} shows ${hidden}: …${text.slice(Math.max(0, at - 200), at + 100)}…`);
    }
  }

  it("are in no answer of either listener, whatever was wrong", () => {
    for (const status of [200, 400, 401, 404, 422, 503])
      assert.ok(statuses.has(status), `${status} among ${[...statuses]}`);
    assert.ok(seen.length > 50);
    for (const [what, text] of seen) assertHidden(what, text);
  });

  it("are in no line of the log, at level trace, with Redis away, a wrong password, a reload and a crash", () => {
    const logs = edge.logs();
    for (const sign of [
      '"msg":"request"',
      '"msg":"audit"',
      '"msg":"probe"',
      '"msg":"admin call refused"',
      '"msg":"configuration reloaded"',
      '"msg":"configuration rejected"',
      '"msg":"uncaught"',
      '"javascriptHeap"',
      "crashed at https://h/x?[redacted]",
      "rejected at redis://[redacted]@h",
    ]) {
      assert.ok(logs.includes(sign), `the log has ${sign}`);
    }
    assertHidden("the log", logs);
  });

  it("are in no event", () => {
    const names = new Set(stream.seen.map(({ event }) => event));
    for (const name of ["audited", "configReloaded", "redisState"])
      assert.ok(names.has(name), `${name} among ${[...names]}`);
    assertHidden("an event", JSON.stringify(stream.seen));
  });

  it("are not in Redis", () => {
    for (const sign of ["meridian:born", "}:p:", "edge-under-test"]) {
      assert.ok(stored.includes(sign), `${sign} in ${stored}`);
    }
    assertHidden("Redis", stored);
  });

  it("are in nothing that the admin API shows, nor in the metrics", async () => {
    for (const path of [
      "/metrics",
      "/v1/config",
      "/v1/status",
      "/v1/regions",
      "/v1/schedule",
      "/openapi.json",
    ]) {
      const { body, statusCode } = await request(`${edge.adminUrl}${path}`, { headers: AS_OPERATOR });
      const text = await body.text();
      assert.equal(statusCode, 200, path);
      if (path === "/v1/config") assert.match(text, /"sha256":"\[redacted\]"/);
      assertHidden(path, text);
    }
  });

  it("are in no argument of the process", async () => {
    if (process.platform !== "linux") return;
    const listed = await readFile(`/proc/${edge.pid}/cmdline`, "utf8");
    assert.match(listed, /serve/);
    assertHidden("ps", listed);
  });

  it("are not printed by validate, of a sound file or of a broken one", async () => {
    const environment = { MERIDIAN_SECRET: `${MARK}-from-the-environment` };
    const sound = edgeYaml(
      world,
      configuration(`rediss://me:${MARK}-redis@127.0.0.1:6379/1?password=${MARK}`),
    );
    const broken = await readFile(edge.configFile, "utf8");
    for (const [text, expected] of [
      [sound, 0],
      [broken, 1],
    ] as const) {
      await writeFile(edge.configFile, text);
      let printed = "";
      const sink = { write: (part: string) => (printed += part) };
      const options = { print: true, environment, out: sink, err: sink };
      assert.equal(await validateCommand(edge.configFile, options), expected, printed);
      assert.ok(printed.length > 200);
      assertHidden("validate", printed);
    }
  });
});

describe("the password of a Redis that cannot be reached or does not know it", () => {
  it("is in no line of the log and no event, be it for one Redis, its Sentinels or a cluster", async (t) => {
    const world = await startWorld();
    t.after(() => world.stop());
    const guarded = await startRedis({ options: ["--requirepass", "another"] });
    t.after(() => guarded.stop());
    const addresses = [guarded.port, await freePort()].map((port) => `127.0.0.1:${port}`);
    const ways = addresses.flatMap((address) => [
      { url: `redis://me:${MARK}@${address}/1` },
      { url: `redis://${address}`, username: "me", password: MARK },
      { name: "mymaster", sentinels: [`redis://me:${MARK}@${address}`], username: "me", password: MARK },
      { cluster: [`redis://me:${MARK}@${address}`] },
    ]);
    const tries = ways.map(async (redis) => {
      const lines: string[] = [];
      const output = new Writable({
        write: (chunk, _, done) => {
          lines.push(String(chunk));
          done();
        },
      });
      const log = createLogger({ level: "trace", edge: "e" }, new LogSink(output));
      const edge = await startTestEdge(world, stringify({ redis }), { log });
      const events: unknown[] = [];
      for (const name of ["redisState", "pinStoreFailed", "warned", "failed"] as const) {
        edge.events.on(name, (event: unknown) => events.push(event));
      }
      const write = await fetch(`${edge.httpUrl}/items/a`, {
        method: "PUT",
        headers: { authorization: `Bearer ${MARK}` },
      });
      await write.text();
      await eventually(() => lines.join("").includes("redis down"), { withinMs: 10_000 });
      await edge.stop(0);
      assert.doesNotMatch(
        lines.join("") + JSON.stringify(events),
        new RegExp(MARK),
        JSON.stringify(Object.keys(redis)),
      );
    });
    await Promise.all(tries);
  });
});
