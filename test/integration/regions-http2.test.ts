import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request as requestHttp1 } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { after, before, describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import type { RequestRecord } from "../../src/events.ts";
import { Authority, type Issued, withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { beginCall, type Call, endCall, GrpcRegion, message, messagesIn } from "../support/grpc-region.ts";
import { type ScriptedWorld, startScripted } from "../support/scripted.ts";

const MEBIBYTE = 1_048_576;

const broken: string[] = [];
let whole = 0;
let held: Parameters<Call>[0][] = [];

/** What the region of a test does, by path. */
const calls: Readonly<Record<string, Call>> = {
  "/echo": async (stream, headers) => {
    const chunks = await Array.fromAsync(stream as AsyncIterable<Buffer>).catch(() => null);
    if (chunks === null) return;
    beginCall(stream);
    for (const text of messagesIn(Buffer.concat(chunks))) stream.write(message(`${headers.te}: ${text}`));
    endCall(stream, 0);
  },
  "/stream": async (stream) => {
    beginCall(stream);
    for (let n = 0; n < 3; n += 1) {
      stream.write(message(`part ${n}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    endCall(stream, 0, "all of it");
  },
  "/talk": (stream) => {
    beginCall(stream);
    stream.on("data", (chunk: Buffer) => {
      for (const text of messagesIn(chunk)) stream.write(message(`heard ${text}`));
    });
    stream.once("end", () => {
      if (stream.aborted) return;
      whole += 1;
      endCall(stream, 0);
    });
    stream.once("aborted", () => broken.push("/talk"));
  },
  "/refuse": (stream) =>
    stream.respond(
      { ":status": 200, "content-type": "application/grpc", "grpc-status": "7", "grpc-message": "no" },
      { endStream: true },
    ),
  "/fail": (stream) => {
    beginCall(stream);
    stream.write(message("part"), () => endCall(stream, 13, "failed midway"));
  },
  "/break": (stream) => {
    beginCall(stream);
    stream.write(message("part"), () => setTimeout(() => stream.destroy(new Error("broken")), 50));
  },
  "/large": (stream) => {
    stream.respond({ ":status": 200 });
    stream.end(Buffer.alloc(8 * MEBIBYTE));
  },
  "/hold": (stream) => void held.push(stream),
  "/plain": (stream, headers) => {
    stream.respond({ ":status": 201, "set-cookie": ["a=1", "b=2"], "content-type": "text/plain" });
    stream.end(JSON.stringify(headers));
  },
  "/early": (stream) => {
    stream.respond({ ":status": 413 });
    stream.end("too much");
    stream.resume();
  },
};

interface Heard {
  readonly status: unknown;
  readonly messages: readonly string[];
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly head: Readonly<Record<string, unknown>>;
  readonly rstCode: number | undefined;
}

async function heard(stream: ClientHttp2Stream): Promise<Heard> {
  let head: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  stream.on("response", (given) => (head = { ...given }));
  stream.on("trailers", (given) => (trailers = { ...given }));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("close", resolve));
  const messages = messagesIn(Buffer.concat(chunks));
  return { status: head[":status"], head, messages, trailers, rstCode: stream.rstCode };
}

for (const [scheme, endpointOf] of [
  ["h2c", (port: number) => `h2c://127.0.0.1:${port}`],
  ["https with http2: true", (port: number) => `https://localhost:${port}`],
] as const) {
  describe(`a region at ${scheme}`, { skip: withoutOpenssl }, () => {
    let authority: Authority;
    let issued: Issued;
    let region: GrpcRegion;
    let world: ScriptedWorld;
    let port: number;
    const records: RequestRecord[] = [];

    before(async () => {
      authority = await Authority.create();
      issued = await authority.issue();
      region = new GrpcRegion(calls, scheme === "h2c" ? null : { cert: issued.cert, key: issued.key });
      port = await region.start();
      const transport = scheme === "h2c" ? {} : { http2: true, tls: { caFile: authority.certFile } };
      const { certFile, keyFile } = issued;
      world = await startScripted(
        {},
        {
          regions: { main: { role: "writer", endpoints: [endpointOf(port)], ...transport } },
          listen: {
            http: { host: "127.0.0.1", port: 0 },
            https: { host: "127.0.0.1", port: 0, certFile, keyFile },
          },
          health: { interval: "500ms", timeout: "450ms", fall: 1, rise: 1 },
          limits: { slowBodies: { bytesPerSecond: 500, grace: "500ms" } },
          log: { level: "silent" },
        },
        { folder: authority.folder },
      );
      world.edge.events.on("requestDone", (record) => records.push(record));
    });
    after(async () => {
      await world.stop();
      await region.stop();
      await authority.remove();
    });

    function client(t: TestContext): ClientHttp2Session {
      const session = connect(`https://localhost:${new URL(world.edge.httpsUrl ?? "").port}`, {
        ca: authority.cert,
      });
      session.on("error", () => {});
      t.after(() => session.destroy());
      return session;
    }

    function call(session: ClientHttp2Session, path: string): ClientHttp2Stream {
      const head = { "content-type": "application/grpc", te: "trailers", "grpc-timeout": "5S" };
      return session.request({ ":method": "POST", ":path": path, ...head });
    }

    function unary(session: ClientHttp2Session, path: string, text: string): Promise<Heard> {
      const stream = call(session, path);
      stream.end(message(text));
      return heard(stream);
    }

    test("is probed over HTTP/2, on one connection", async () => {
      assert.equal(world.edge.table.status()[0]?.health, "up");
      await eventually(() => region.probes >= 5);
      assert.ok(region.opened <= 2, `${region.opened}`);
    });

    test("is called over HTTP/2: messages, and the status in trailers", async (t) => {
      const { status, messages, trailers } = await unary(client(t), "/echo", "hello");
      assert.deepEqual([status, messages], [200, ["trailers: hello"]]);
      assert.equal(trailers["grpc-status"], "0");
    });

    test("streams its answer message by message, and fails it by its status", async (t) => {
      const session = client(t);
      const streamed = await unary(session, "/stream", "go");
      assert.deepEqual(streamed.messages, ["part 0", "part 1", "part 2"]);
      assert.deepEqual(
        [streamed.trailers["grpc-status"], streamed.trailers["grpc-message"]],
        ["0", "all of it"],
      );
      const failed = await unary(session, "/fail", "go");
      assert.deepEqual([failed.messages, failed.trailers["grpc-status"]], [["part"], "13"]);
      const refused = await unary(session, "/refuse", "go");
      assert.deepEqual([refused.status, refused.messages, refused.head["grpc-status"]], [200, [], "7"]);
    });

    test("talks both ways on one call, at once, and as slowly as it likes", async (t) => {
      const stream = call(client(t), "/talk");
      const answers: string[] = [];
      stream.on("data", (chunk: Buffer) => answers.push(...messagesIn(chunk)));
      for (const text of ["one", "two", "three"]) {
        stream.write(message(text));
        await eventually(() => assert.equal(answers.at(-1), `heard ${text}`));
      }
      // Far longer than a body that drips may take.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      stream.write(message("late"));
      await eventually(() => assert.equal(answers.at(-1), "heard late"));
      const ended = heard(stream);
      stream.end();
      assert.equal((await ended).trailers["grpc-status"], "0");
    });

    test("hears of a client that leaves in the middle of a call, and takes what has come for no whole", async (t) => {
      const stream = call(client(t), "/talk");
      whole = 0;
      stream.on("error", () => {});
      stream.write(message("one"));
      await once(stream, "data");
      // Not close(), which would end what it has sent before it leaves.
      stream.destroy(new Error("left"));
      await eventually(() => assert.deepEqual(broken.splice(0), ["/talk"]));
      assert.equal(whole, 0);
      await eventually(() => assert.equal(world.edge.table.status()[0]?.requestsInFlight, 0));
    });

    test("that breaks an answer off has broken it, not ended it", async (t) => {
      const session = client(t);
      const { messages, trailers, rstCode } = await unary(session, "/break", "go");
      assert.deepEqual([messages, trailers, rstCode], [["part"], {}, constants.NGHTTP2_INTERNAL_ERROR]);
      assert.equal((await unary(session, "/echo", "on")).trailers["grpc-status"], "0");
    });

    test("serves a hundred calls at a time over few connections, and large answers", async (t) => {
      const session = client(t);
      const before = region.opened;
      await unary(session, "/echo", "warm");
      const texts = Array.from({ length: 100 }, (_, index) => `${index}`);
      const all = await Promise.all(texts.map((text) => unary(session, "/echo", text)));
      assert.deepEqual(
        all.flatMap(({ messages }) => messages),
        texts.map((text) => `trailers: ${text}`),
      );
      assert.ok(region.opened - before <= 3, `${region.opened - before}`);
      const large = session.request({ ":path": "/large" });
      let bytes = 0;
      for await (const chunk of large) bytes += (chunk as Buffer).length;
      assert.equal(bytes, 8 * MEBIBYTE);
    });

    test("is asked over HTTP/1.1 by clients that speak nothing else, trailers included", async () => {
      const plain = await fetch(`${world.edge.httpUrl}/plain`, {
        headers: { "x-own": "1", cookie: "c=1; d=2" },
      });
      assert.equal(plain.status, 201);
      assert.deepEqual(plain.headers.getSetCookie().slice(0, 2), ["a=1", "b=2"]);
      const seen = (await plain.json()) as Record<string, string>;
      assert.equal(seen[":authority"], new URL(world.edge.httpUrl).host);
      assert.equal(seen["x-own"], "1");
      assert.equal(seen.cookie, "c=1; d=2");
      const { port: edgePort } = new URL(world.edge.httpUrl);
      const asked = requestHttp1({
        ...{ host: "127.0.0.1", port: edgePort, path: "/echo", method: "POST", agent: new Agent() },
        headers: { "content-type": "application/grpc", te: "trailers", connection: "te" },
      });
      asked.end(message("over 1.1"));
      const [answer] = await once(asked, "response");
      const chunks = await Array.fromAsync(answer as AsyncIterable<Buffer>);
      assert.deepEqual(messagesIn(Buffer.concat(chunks)), ["trailers: over 1.1"]);
      assert.equal(answer.trailers["grpc-status"], "0");
    });

    test("that answers before it has read an upload costs the client nothing but that upload", async (t) => {
      const session = client(t);
      const stream = session.request({ ":method": "POST", ":path": "/early" });
      const feed = setInterval(() => stream.destroyed || stream.write(Buffer.alloc(10_000)), 5);
      const { status } = await heard(stream);
      clearInterval(feed);
      assert.equal(status, 413);
      assert.equal((await unary(session, "/echo", "on")).trailers["grpc-status"], "0");
      await eventually(() => assert.equal(world.edge.table.status()[0]?.requestsInFlight, 0));
    });

    test("loses no call when it lets its connections go (GOAWAY), and is given new ones", async (t) => {
      const session = client(t);
      held = [];
      const waiting = Array.from({ length: 5 }, () => unary(session, "/hold", "wait"));
      await eventually(() => assert.equal(held.length, 5));
      const before = region.opened;
      for (const each of region.sessions) each.close();
      const after = await Promise.all(["a", "b", "c"].map((text) => unary(session, "/echo", text)));
      assert.deepEqual(
        after.map(({ trailers }) => trailers["grpc-status"]),
        ["0", "0", "0"],
      );
      assert.ok(region.opened > before);
      for (const stream of held) {
        beginCall(stream);
        endCall(stream, 0);
      }
      const ended = await Promise.all(waiting);
      assert.deepEqual(
        ended.map(({ trailers }) => trailers["grpc-status"]),
        ["0", "0", "0", "0", "0"],
      );
    });

    test("loses only the calls that are under way when its connections break", async (t) => {
      const session = client(t);
      held = [];
      const waiting = unary(session, "/hold", "wait");
      await eventually(() => assert.equal(held.length, 1));
      for (const each of region.sessions) each.destroy();
      assert.equal((await waiting).status, 502);
      await eventually(async () =>
        assert.equal((await unary(session, "/echo", "again")).trailers["grpc-status"], "0"),
      );
    });

    test("survives calls that come and go while its connections do", async (t) => {
      const session = client(t);
      let stopped = false;
      const seen = { ok: 0, failed: [] as unknown[] };
      const caller = async () => {
        while (!stopped) {
          const { trailers, status } = await unary(session, "/echo", "x");
          if (trailers["grpc-status"] === "0") seen.ok += 1;
          else seen.failed.push(status);
        }
      };
      const callers = Promise.all([caller(), caller(), caller()]);
      for (let round = 1; round <= 5; round += 1) {
        await eventually(() => seen.ok >= 30 * round, { withinMs: 10_000 });
        for (const each of region.sessions) each.close();
      }
      stopped = true;
      await callers;
      // What the GOAWAY says was not looked at is sent again.
      assert.deepEqual(seen.failed, []);
    });

    test("is in the log with its endpoint", () => {
      const record = records.find(({ path }) => path === "/echo");
      assert.equal(record?.attempts[0]?.endpoint, endpointOf(port));
    });

    if (scheme === "h2c")
      test("cannot take a WebSocket, which is told so", async () => {
        const socket = new WebSocket(world.edge.httpUrl.replace("http", "ws"));
        const [error] = (await once(socket, "error")) as [Error];
        assert.match(error.message, /501/);
        assert.equal(world.edge.table.status()[0]?.health, "up");
      });
  });
}

describe("a region that http2: true is said of", { skip: withoutOpenssl }, () => {
  test("has to: one that chooses HTTP/1.1 is down, and says why", async (t) => {
    const authority = await Authority.create();
    t.after(() => authority.remove());
    const { cert, key } = await authority.issue();
    const { createServer } = await import("node:https");
    const server = createServer({ cert, key }, (req, res) => res.end(`over ${req.httpVersion}`));
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as import("node:net").AddressInfo;
    const world = await startScripted(
      {},
      {
        regions: {
          main: {
            role: "writer",
            endpoints: [`https://localhost:${port}`],
            http2: true,
            tls: { caFile: authority.certFile },
          },
        },
      },
      { folder: authority.folder },
    );
    t.after(() => world.stop());
    const [status] = world.edge.table.status();
    assert.equal(status?.health, "down");
    assert.match(status?.endpoints[0]?.lastProbe?.cause ?? "", /does not speak HTTP\/2/);
    assert.equal((await fetch(world.edge.httpUrl)).status, 502);
  });
});
