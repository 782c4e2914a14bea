import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { after, before, describe, type TestContext, test } from "node:test";
import type { RequestRecord } from "../../src/events.ts";
import { withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { type Http2World, startHttp2 } from "../support/h2-edge.ts";
import { data, ERROR, FLAG, headers, request, rstStream, TYPE } from "../support/h2-frames.ts";

const MEBIBYTE = 1_048_576;
const POST = request({ ":method": "POST", ":path": "/upload" });

interface Answer {
  readonly head: Record<string, string | string[] | number | undefined>;
  readonly hints: readonly Record<string, unknown>[];
  readonly body: string;
  readonly trailers: Record<string, unknown>;
  readonly rstCode: number | undefined;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  let head: Answer["head"] = {};
  let trailers: Answer["trailers"] = {};
  const hints: Record<string, unknown>[] = [];
  stream.on("response", (given) => (head = { ...given }));
  stream.on("headers", (given) => hints.push({ ...given }));
  stream.on("trailers", (given) => (trailers = { ...given }));
  stream.on("error", () => {});
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => stream.once("close", resolve));
  return { head, hints, body: Buffer.concat(chunks).toString(), trailers, rstCode: stream.rstCode };
}

describe("requests over HTTP/2", { skip: withoutOpenssl }, () => {
  let world: Http2World;
  const records: RequestRecord[] = [];
  /** What the region has seen of uploads: how many bytes, and whether they were all. */
  const uploads: { bytes: number; complete: boolean }[] = [];
  let uploaded = 0;
  const left: string[] = [];
  let resumed: (() => void) | null = null;

  const routes: Record<string, (req: IncomingMessage, res: ServerResponse) => unknown> = {
    "/hello": (req, res) => res.end(JSON.stringify({ headers: req.headers, raw: req.rawHeaders })),
    "/upload": (req, res) => {
      let bytes = 0;
      req.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        uploaded += chunk.length;
      });
      req.once("close", () => uploads.push({ bytes, complete: req.complete }));
      req.once("end", () => res.end(`${bytes}`));
    },
    "/large": (_req, res) => res.end(Buffer.alloc(8 * MEBIBYTE, "a")),
    "/never": (req) => req.once("close", () => left.push(req.url ?? "")),
    "/broken": (_req, res) => {
      res.writeHead(200, { "content-length": "100" });
      res.write("half", () => res.destroy());
    },
    "/chunks-broken": (_req, res) => res.write("half", () => res.destroy()),
    "/cookies": (_req, res) => {
      res.appendHeader("set-cookie", "a=1").appendHeader("set-cookie", "b=2");
      res.writeHead(200, { connection: "close", "keep-alive": "timeout=5", "X-Mixed-Case": "caf\u00e9" });
      res.end("cookies");
    },
    "/trailers": (req, res) => {
      res.writeHead(200, req.headers["x-announce"] ? { trailer: "grpc-status" } : {});
      res.write("body");
      res.addTrailers({ "grpc-status": "0", "x-t": "1" });
      res.end();
    },
    "/hints": (_req, res) => {
      res.writeEarlyHints({ link: "</a.css>; rel=preload" });
      res.end("hinted");
    },
    "/slow": async (_req, res) => {
      res.write("one ");
      await new Promise<void>((resolve) => (resumed = resolve));
      res.end("two");
    },
    "/status": (req, res) => res.writeHead(Number(req.headers["x-status"])).end(),
    "/refuses": (req, res) => {
      res.writeHead(413, { connection: "close" }).end("too much");
      req.resume();
    },
  };

  before(async () => {
    world = await startHttp2((req, res) => void routes[req.url?.split("?")[0] ?? ""]?.(req, res));
    world.edge.events.on("requestDone", (record) => records.push(record));
  });
  after(() => world.stop());

  function session(t: TestContext, to: Http2World = world): ClientHttp2Session {
    const client = connect(`https://localhost:${to.port}`, { ca: to.authority.cert });
    client.on("error", () => {});
    t.after(() => client.destroy());
    return client;
  }

  function ask(client: ClientHttp2Session, path: string, more: OutgoingHttpHeaders = {}): Promise<Answer> {
    return answerOf(client.request({ ":path": path, ...more }));
  }

  test("arrive at a region as any other, with what this edge knows of their way", async (t) => {
    const { head, body } = await ask(session(t), "/hello?a=b", {
      "x-own": "1",
      "x-forwarded-for": "6.6.6.6",
    });
    assert.equal(head[":status"], 200);
    assert.equal(head["x-meridian-region"], "main");
    const { headers: seen } = JSON.parse(body) as { headers: Record<string, string> };
    assert.equal(seen.host, `localhost:${world.port}`);
    assert.equal(seen["x-own"], "1");
    assert.equal(seen["x-forwarded-for"], "127.0.0.1");
    assert.equal(seen["x-forwarded-proto"], "https");
    assert.equal(seen.via, "2.0 meridian-edge-under-test");
    assert.equal(
      Object.keys(seen).some((name) => name.startsWith(":")),
      false,
    );
    const record = records.find(({ id }) => id === head["x-request-id"]);
    assert.deepEqual(
      [record?.protocol, record?.path, record?.status, record?.complete],
      ["h2", "/hello", 200, true],
    );
  });

  test("have their crumbs of cookies put together, so that affinity and identity are found", async (t) => {
    const client = session(t);
    const { head } = await ask(client, "/hello");
    const [cookie = ""] = String((head["set-cookie"] as string[])[0]).split(";");
    const back = await ask(client, "/hello", { cookie: ["a=1", cookie, "b=2"] });
    const { raw } = JSON.parse(back.body) as { raw: string[] };
    assert.equal(raw.filter((text) => text.toLowerCase() === "cookie").length, 1);
    assert.equal(raw[raw.findIndex((text) => text.toLowerCase() === "cookie") + 1], `a=1; ${cookie}; b=2`);
    const record = records.find(({ id }) => id === back.head["x-request-id"]);
    assert.equal(record?.affinity, "hit");
  });

  test("get no field that speaks of a connection, and all others as the region wrote them", async (t) => {
    const { head, body } = await ask(session(t), "/cookies");
    assert.equal(body, "cookies");
    assert.deepEqual((head["set-cookie"] as string[]).slice(0, 2), ["a=1", "b=2"]);
    assert.equal(head["x-mixed-case"], "caf\u00e9");
    for (const name of ["connection", "keep-alive", "transfer-encoding"])
      assert.equal(head[name], undefined, name);
  });

  for (const status of [200, 201, 301, 404, 418, 500, 503, 599]) {
    test(`are answered with the region's status ${status}`, async (t) => {
      assert.equal((await ask(session(t), "/status", { "x-status": status })).head[":status"], status);
    });
  }

  test("carry large bodies both ways, a hundred on one connection", async (t) => {
    const client = session(t);
    const large = await ask(client, "/large");
    assert.equal(large.body.length, 8 * MEBIBYTE);
    const upload = client.request({ ":path": "/upload", ":method": "POST" });
    upload.end(Buffer.alloc(8 * MEBIBYTE));
    assert.equal((await answerOf(upload)).body, `${8 * MEBIBYTE}`);
    const many = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const stream = client.request({
          ":path": "/upload",
          ":method": "POST",
          "content-length": 1_000 + index,
        });
        stream.end(Buffer.alloc(1_000 + index));
        return (await answerOf(stream)).body;
      }),
    );
    assert.deepEqual(
      many,
      Array.from({ length: 100 }, (_, index) => `${1_000 + index}`),
    );
  });

  test("are passed on as they come, and so are their answers", async (t) => {
    const stream = session(t).request({ ":path": "/slow" });
    const [first] = await once(stream, "data");
    assert.equal(String(first), "one ");
    resumed?.();
    assert.equal((await answerOf(stream)).body, "two");
  });

  for (const [asked, more] of [
    ["a client asks for them", { te: "trailers" }],
    ["the region has announced them", { "x-announce": "1" }],
  ] as const) {
    test(`get trailers when ${asked}`, async (t) => {
      const { body, trailers } = await ask(session(t), "/trailers", more);
      assert.equal(body, "body");
      assert.equal(trailers["grpc-status"], "0");
    });
  }

  test("get early hints, and 100 once somebody wants their body", async (t) => {
    const client = session(t);
    const hinted = await ask(client, "/hints");
    assert.equal(hinted.body, "hinted");
    assert.deepEqual(
      hinted.hints.map((each) => [each[":status"], each.link]),
      [[103, "</a.css>; rel=preload"]],
    );
    const stream = client.request({ ":path": "/upload", ":method": "POST", expect: "100-continue" });
    await once(stream, "continue");
    stream.end("now");
    assert.equal((await answerOf(stream)).body, "3");
  });

  for (const path of ["/broken", "/chunks-broken"]) {
    test(`see a region that breaks its answer off as a broken stream, not as an end: ${path}`, async (t) => {
      const client = session(t);
      const { head, body, rstCode } = await ask(client, path);
      assert.equal(head[":status"], 200);
      assert.equal(body, "half");
      assert.equal(rstCode, constants.NGHTTP2_INTERNAL_ERROR);
      assert.equal((await ask(client, "/hello")).head[":status"], 200);
    });
  }

  for (const [how, end] of [
    ["resets it with CANCEL", rstStream(1, ERROR.cancel)],
    ["resets it with NO_ERROR, as if all were well", rstStream(1, ERROR.none)],
    ["leaves", null],
  ] as const) {
    test(`show the region that an upload is not whole when the client ${how}`, async (t) => {
      const client = await world.frames();
      t.after(() => client.destroy());
      const seenBefore = uploads.length;
      uploaded = 0;
      client.send(headers(1, POST, FLAG.endHeaders));
      for (let piece = 0; piece < 3; piece += 1) client.send(data(1, Buffer.alloc(16_000), 0));
      await eventually(() => uploaded === 48_000);
      if (end === null) client.destroy();
      else client.send(end);
      await eventually(() => uploads.length > seenBefore);
      const { bytes, complete } = uploads.at(-1) ?? {};
      assert.deepEqual([bytes, complete], [48_000, false]);
      await eventually(() => assert.equal(records.at(-1)?.fault, "client_gone"));
    });
  }

  test("end at the region when the client does not wait for the answer", async (t) => {
    const stream = session(t).request({ ":path": "/never" });
    await eventually(() => world.edge.table.status()[0]?.requestsInFlight === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await eventually(() => left.length > 0);
    await eventually(() => world.edge.table.status()[0]?.requestsInFlight === 0);
  });

  test("that are refused while they are sent get the answer, and the connection goes on", async (t) => {
    const client = session(t);
    const stream = client.request({ ":path": "/refuses", ":method": "POST" });
    stream.on("error", () => {});
    const feed = setInterval(() => stream.destroyed || stream.write(Buffer.alloc(10_000)), 5);
    const { head } = await answerOf(stream);
    clearInterval(feed);
    assert.equal(head[":status"], 413);
    assert.equal((await ask(client, "/hello")).head[":status"], 200);
  });

  test("that this edge refuses are told why", async (t) => {
    const { head, body } = await ask(session(t), "/hello", { via: "1.1 meridian-edge-under-test" });
    assert.deepEqual([head[":status"], head["content-type"]], [508, "application/problem+json"]);
    assert.equal((JSON.parse(body) as { fault: string }).fault, "loop");
  });
});

describe("an edge that stops", { skip: withoutOpenssl }, () => {
  test("says GOAWAY with its first answer, lets requests in flight end, and loses none", async (t) => {
    const asked: ServerResponse[] = [];
    const world = await startHttp2((req, res) => {
      if (req.url === "/slow") asked.push(res);
      else res.end("quick");
    });
    t.after(() => world.stop());
    const [busy, idle] = await Promise.all([world.frames(), world.frames()]);
    t.after(() => [busy.destroy(), idle.destroy()]);
    busy.send(headers(1, request({ ":path": "/slow" })));
    await eventually(() => asked.length === 1);
    const stopped = world.edge.stop();
    // It still accepts, so that a balancer has time to notice.
    const late = await world.frames();
    t.after(() => late.destroy());
    late.send(headers(1));
    assert.equal((await late.answer(1)).body, "quick");
    assert.equal(await late.goaway(), ERROR.none);
    assert.equal(await idle.goaway(), ERROR.none);
    await busy.until(() => busy.frames.some(({ type }) => type === TYPE.goaway));
    const { payload = Buffer.alloc(8) } = busy.frames.find(({ type }) => type === TYPE.goaway) ?? {};
    assert.deepEqual([payload.readUInt32BE(0), payload.readUInt32BE(4)], [1, ERROR.none]);
    assert.equal(busy.closed, false);
    asked[0]?.end("to its end");
    assert.equal((await busy.answer(1)).body, "to its end");
    await stopped;
    assert.ok(busy.closed);
  });

  test("cuts streams that do not end, visibly, when its time is over", async (t) => {
    const world = await startHttp2((_req, res) => res.write("half"), { shutdown: { grace: "1s" } });
    t.after(() => world.stop());
    const client = await world.frames();
    t.after(() => client.destroy());
    client.send(headers(1));
    await client.until(() => client.seen(1).body === "half");
    await world.edge.stop();
    await client.until(() => false);
    assert.equal(client.seen(1).ended, false);
  });
});
