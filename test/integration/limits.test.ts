import assert from "node:assert/strict";
import { once } from "node:events";
import type { RequestListener } from "node:http";
import { connect, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { Agent, request } from "undici";
import type { EdgeEvents } from "../../src/events.ts";
import { eventually } from "../support/eventually.ts";
import { sendRaw } from "../support/raw.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

describe("what a client asks with", () => {
  let world: ScriptedWorld;
  const refused: EdgeEvents["headRefused"][] = [];
  before(async () => {
    const limits = {
      maxUrlBytes: "1KiB",
      maxHeaders: 20,
      headersTimeout: "500ms",
      idleConnectionTimeout: "500ms",
    };
    world = await startScripted({ main: (_req, res) => void res.end("ok") }, { limits });
    world.edge.events.on("headRefused", (event) => refused.push(event));
  });
  after(() => world.stop());

  test("may have a URL as long as is allowed, and not longer", async () => {
    const { httpUrl } = world.edge;
    const fits = await request(`${httpUrl}/${"a".repeat(1_023)}`);
    assert.equal(fits.statusCode, 200);
    await fits.body.dump();
    const { statusCode, body } = await request(`${httpUrl}/${"a".repeat(1_024)}`);
    assert.equal(statusCode, 414);
    assert.equal(((await body.json()) as { fault: string }).fault, "url_too_long");
  });

  test("may have so many headers, and not more", async () => {
    const head = (count: number) =>
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${"A: b\r\n".repeat(count - 2)}\r\n`;
    const fits = await sendRaw(world.edge.httpUrl, head(20));
    assert.match(fits.text, /^HTTP\/1\.1 200 /);
    const many = await sendRaw(world.edge.httpUrl, head(21));
    assert.match(many.text, /^HTTP\/1\.1 431 .*"fault":"header_too_large"/s);
    assert.deepEqual(refused.splice(0), [{ fault: "header_too_large" }]);
  });

  test("has to be said in time, however it drips", async () => {
    const { text, closed } = await sendRaw(world.edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\nA: ", {
      forMs: 8_000,
    });
    assert.match(text, /^HTTP\/1\.1 408 .*"fault":"request_timeout"/s);
    assert.equal(closed, "end");
    assert.deepEqual(refused.splice(0), [{ fault: "request_timeout" }]);
  });

  test("who says nothing at all is told nothing, and the connection ends", async () => {
    const { text, closed } = await sendRaw(world.edge.httpUrl, "", { forMs: 8_000 });
    assert.deepEqual([text, closed], ["", "end"]);
    assert.equal(refused.splice(0).length, 1);
  });

  test("a connection on which nothing is asked any more ends, and nobody is blamed", async () => {
    const { text, closed } = await sendRaw(world.edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", {
      forMs: 8_000,
    });
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.deepEqual([closed, refused], ["end", []]);
  });

  test("what was no request is counted by its fault", async () => {
    await sendRaw(world.edge.httpUrl, "nonsense\r\n\r\n");
    const count = (fault: string) => metric(world, `meridian_heads_refused_total{fault="${fault}"}`);
    assert.deepEqual(
      await Promise.all(["bad_request", "header_too_large", "request_timeout"].map(count)),
      [1, 1, 2],
    );
  });
});

describe("connections", () => {
  let world: ScriptedWorld;
  const refused: EdgeEvents["connectionRefused"][] = [];
  before(async () => {
    const limits = { connections: 6, connectionsPerAddress: 2 };
    const listen = { http: { host: "127.0.0.1", port: 0 }, trustedProxies: ["127.0.0.9"] };
    world = await startScripted({ main: (_req, res) => void res.end("ok") }, { limits, listen });
    world.edge.events.on("connectionRefused", (event) => refused.push(event));
  });
  after(() => world.stop());

  /** Opens connections from a loopback address; each has been answered once. */
  async function open(count: number, localAddress: string): Promise<readonly Socket[]> {
    const { port } = new URL(world.edge.httpUrl);
    const sockets = Array.from({ length: count }, () =>
      connect({ port: Number(port), host: "127.0.0.1", localAddress }),
    );
    for (const socket of sockets) {
      socket.on("error", () => {});
      socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      const [answer] = await once(socket, "data");
      assert.match(String(answer), /^HTTP\/1\.1 200 /);
    }
    return sockets;
  }

  async function refusal(localAddress: string): Promise<string> {
    const { port } = new URL(world.edge.httpUrl);
    const socket = connect({ port: Number(port), host: "127.0.0.1", localAddress });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    await once(socket, "end");
    socket.destroy();
    return text;
  }

  test("are bounded for each address, and the next one is told to come again", async () => {
    const held = await open(2, "127.0.0.2");
    const text = await refusal("127.0.0.2");
    assert.match(text, /^HTTP\/1\.1 503 .*retry-after: 1\r\n.*connection: close.*"fault":"overloaded"/s);
    assert.deepEqual(refused.splice(0), [{ cause: "address", address: "127.0.0.2" }]);
    const others = await open(1, "127.0.0.3");
    for (const socket of held) socket.destroy();
    await eventually(() => world.edge.connections === 1);
    for (const socket of [...(await open(2, "127.0.0.2")), ...others]) socket.destroy();
    await eventually(() => world.edge.connections === 0);
  });

  test("of trusted proxies are only bounded all together, and there are metrics of them", async () => {
    const held = await open(6, "127.0.0.9");
    assert.match(await refusal("127.0.0.2"), /^HTTP\/1\.1 503 /);
    assert.deepEqual(refused.splice(0), [{ cause: "connections", address: null }]);
    assert.equal(await metric(world, 'meridian_connections{listener="http"}'), 6);
    assert.equal(await metric(world, "meridian_connections_limit"), 6);
    assert.equal(await metric(world, 'meridian_connections_refused_total{cause="connections"}'), 1);
    assert.equal(await metric(world, 'meridian_connections_refused_total{cause="address"}'), 1);
    for (const socket of held) socket.destroy();
  });
});

describe("an edge that has too much to do", () => {
  const vitals = {
    late: 0,
    memory: 0,
    lateMs: () => vitals.late,
    memoryShare: () => vitals.memory,
    tidy: () => {},
  };
  let world: ScriptedWorld;
  before(async () => {
    const main: RequestListener = (req, res) => {
      if (req.url !== "/slow") return void res.end("ok");
      res.write("sl");
      setTimeout(() => res.end("ow"), 1_500);
    };
    const overload = { eventLoopDelay: "500ms" };
    world = await startScripted({ main }, { limits: { overload } }, { vitals });
  });
  after(() => world.stop());

  for (const [cause, strain] of [
    ["memory", { late: 0, memory: 0.95 }],
    ["event_loop", { late: 900, memory: 0 }],
  ] as const) {
    test(`for want of ${cause} refuses new connections, goes on with the old, and recovers`, async (t) => {
      const { edge } = world;
      const agent = new Agent({ connections: 1, keepAliveTimeout: 60_000 });
      t.after(() => agent.destroy());
      const slow = await request(`${edge.httpUrl}/slow`, { dispatcher: agent });
      assert.equal(slow.statusCode, 200);

      Object.assign(vitals, strain);
      await eventually(() => assert.match(String(edge.overload), new RegExp(cause)));
      const { text } = await sendRaw(edge.httpUrl, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      assert.match(text, /^HTTP\/1\.1 503 .*retry-after: 1\r\n.*"fault":"overloaded"/s);
      assert.equal(await slow.body.text(), "slow", "what was begun is ended");
      const again = await request(edge.httpUrl, { dispatcher: agent });
      assert.equal(again.statusCode, 200, "and who has a connection is served");
      await again.body.dump();
      if (cause === "memory") assert.equal(again.headers.connection, "close");
      const ready = await request(`${edge.adminUrl}/readyz?verbose`);
      assert.deepEqual(((await ready.body.json()) as { overload: string[] }).overload, [cause]);
      assert.equal(await metric(world, `meridian_overload{cause="${cause}"}`), 1);

      Object.assign(vitals, { late: 0, memory: 0 });
      await eventually(() => edge.overload.length === 0);
      const after = await request(edge.httpUrl);
      assert.deepEqual([after.statusCode, after.headers.connection], [200, "keep-alive"]);
      await after.body.dump();
      assert.equal(await metric(world, `meridian_connections_refused_total{cause="${cause}"}`), 1);
    });
  }
});

/** The value of one sample of the edge's metrics; null when there is none. */
async function metric({ edge }: ScriptedWorld, series: string): Promise<number | null> {
  const text = await (await request(`${edge.adminUrl}/metrics`)).body.text();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length + 1));
}
