import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { withoutOpenssl } from "../support/certificates.ts";
import { type Http2World, startHttp2 } from "../support/h2-edge.ts";
import {
  block,
  data,
  ERROR,
  type Field,
  FLAG,
  type FrameClient,
  frame,
  headers,
  PREFACE,
  request,
  rstStream,
  settings,
  TYPE,
  uint32,
} from "../support/h2-frames.ts";

const { endStream, endHeaders, padded, priority, ack } = FLAG;
const POST = request({ ":method": "POST" });

/**
 * What has to become of it: the connection's end with one of these errors, a stream's, an answer, or nothing at all.
 * Where the clause wants a stream's end, the connection's is right too (§5.4.2).
 */
type Outcome =
  | { readonly connection: readonly number[] }
  | { readonly stream: readonly number[]; readonly of?: number }
  | { readonly status: number; readonly of?: number; readonly body?: RegExp }
  | "ignored";

type Check = readonly [clause: string, sentence: string, sent: readonly Buffer[], outcome: Outcome];

const protocolError: Outcome = { connection: [ERROR.protocol] };
const malformed: Outcome = { stream: [ERROR.protocol, ERROR.internal] };
/** nghttp2 leaves such a field out and goes on, so that nobody behind it ever sees it. */
const leftOut: Outcome = { status: 200, body: /^GET \/ \[\]$/ };
const frameSizeError: Outcome = { connection: [ERROR.frameSize] };
const compressionError: Outcome = { connection: [ERROR.compression] };
const answered: Outcome = { status: 200 };

/** A request with fields after the pseudo-header fields, in any order and as often as given. */
function withFields(...fields: readonly Field[]): Buffer {
  return headers(1, [...request(), ...fields]);
}

const pseudo = (...fields: readonly Field[]): Buffer => headers(1, fields);
const [METHOD, SCHEME, AUTHORITY, PATH] = request() as readonly [Field, Field, Field, Field];

/** HEADERS whose block is in pieces. */
function inPieces(streamId: number, pieces: readonly Buffer[]): readonly Buffer[] {
  return pieces.map((piece, index) => {
    const last = index === pieces.length - 1 ? endHeaders : 0;
    if (index === 0) return frame(TYPE.headers, endStream | last, streamId, piece);
    return frame(TYPE.continuation, last, streamId, piece);
  });
}

const whole = block(request());
const halves = [whole.subarray(0, 9), whole.subarray(9)];

const checks: readonly Check[] = [
  [
    "4.1",
    "a frame of an unknown type is passed over",
    [frame(0xbb, 0xff, 0, Buffer.from("x")), headers(1)],
    answered,
  ],
  [
    "4.1",
    "the reserved bit of a stream's id is passed over",
    [frame(TYPE.headers, 5, 0x80000001, whole)],
    answered,
  ],
  ["4.1", "flags that are not defined are passed over", [frame(TYPE.headers, 0xc2 | 5, 1, whole)], answered],
  [
    "4.2",
    "DATA longer than agreed",
    [headers(1, POST, endHeaders), data(1, Buffer.alloc(16_385))],
    frameSizeError,
  ],
  ["4.2", "HEADERS longer than agreed", [frame(TYPE.headers, 5, 1, Buffer.alloc(16_385))], frameSizeError],
  [
    "4.3",
    "a field block that cannot be read",
    [frame(TYPE.headers, 5, 1, Buffer.from([0xff]))],
    compressionError,
  ],
  ["4.3", "a field block in pieces", inPieces(1, halves), answered],
  [
    "4.3",
    "another frame between the pieces of a field block",
    [frame(TYPE.headers, endStream, 1, whole.subarray(0, 9)), frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
    protocolError,
  ],
  [
    "4.3",
    "a frame of another stream between the pieces of a field block",
    [frame(TYPE.headers, endStream, 1, whole.subarray(0, 9)), headers(3)],
    protocolError,
  ],
  [
    "4.3",
    "an extension's frame between the pieces of a field block",
    [frame(TYPE.headers, endStream, 1, whole.subarray(0, 9)), frame(0xbb, 0, 0)],
    protocolError,
  ],
  ["5.1", "DATA on an idle stream", [data(1, "a")], protocolError],
  ["5.1", "RST_STREAM on an idle stream", [rstStream(1)], protocolError],
  ["5.1", "WINDOW_UPDATE on an idle stream", [frame(TYPE.windowUpdate, 0, 1, uint32(1))], protocolError],
  ["5.1", "CONTINUATION on an idle stream", [frame(TYPE.continuation, endHeaders, 1, whole)], protocolError],
  ["5.1", "DATA after the end of a stream", [headers(1), data(1, "a")], { connection: [ERROR.streamClosed] }],
  [
    "5.1",
    "HEADERS after the end of a stream",
    [headers(1), headers(1)],
    { connection: [ERROR.streamClosed, ERROR.protocol] },
  ],
  [
    "5.1",
    "HEADERS after the reset of a stream",
    [headers(1, POST, endHeaders), rstStream(1), headers(1)],
    "ignored",
  ],
  ["5.1.1", "a stream of a client's with an even id", [headers(2)], protocolError],
  [
    "5.1.1",
    "a stream whose id is lower than the last one's",
    [headers(5, POST, endHeaders), headers(3)],
    "ignored",
  ],
  ["5.1.1", "streams may leave ids out", [headers(1), headers(101)], { status: 200, of: 101 }],
  [
    "5.3.2",
    "PRIORITY before its stream is passed over",
    [frame(TYPE.priority, 0, 3, Buffer.alloc(5)), headers(1)],
    answered,
  ],
  [
    "5.3.2",
    "PRIORITY on a stream that is over is passed over",
    [headers(1), frame(TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 3, 5])), headers(3)],
    { status: 200, of: 3 },
  ],
  ["5.5", "a setting that is not known is passed over", [settings([0xbbbb, 7]), headers(1)], answered],
  ["6.1", "DATA on the connection itself", [headers(1, POST, endHeaders), data(0, "a")], protocolError],
  [
    "6.1",
    "DATA with more padding than payload",
    [headers(1, POST, endHeaders), frame(TYPE.data, endStream | padded, 1, Buffer.from([9, 1, 1]))],
    protocolError,
  ],
  [
    "6.1",
    "DATA with padding, which is no part of it",
    [
      headers(1, POST, endHeaders),
      frame(TYPE.data, endStream | padded, 1, Buffer.from("\x04body\0\0\0\0", "latin1")),
    ],
    { status: 200, body: /^POST \/ body$/ },
  ],
  ["6.2", "HEADERS on the connection itself", [frame(TYPE.headers, 5, 0, whole)], protocolError],
  [
    "6.2",
    "HEADERS with more padding than payload",
    [frame(TYPE.headers, 5 | padded, 1, Buffer.concat([Buffer.from([255]), whole]))],
    protocolError,
  ],
  [
    "6.2",
    "HEADERS with padding and a priority",
    [
      frame(
        TYPE.headers,
        5 | padded | priority,
        1,
        Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 16]), whole, Buffer.alloc(3)]),
      ),
    ],
    answered,
  ],
  ["6.3", "PRIORITY on the connection itself", [frame(TYPE.priority, 0, 0, Buffer.alloc(5))], "ignored"],
  [
    "6.3",
    "PRIORITY of another length than five bytes",
    [headers(1, POST, endHeaders), frame(TYPE.priority, 0, 1, Buffer.alloc(4))],
    { connection: [ERROR.frameSize] },
  ],
  ["6.4", "RST_STREAM on the connection itself", [frame(TYPE.rstStream, 0, 0, uint32(8))], protocolError],
  [
    "6.4",
    "RST_STREAM of another length than four bytes",
    [headers(1, POST, endHeaders), frame(TYPE.rstStream, 0, 1, Buffer.alloc(3))],
    frameSizeError,
  ],
  [
    "6.5",
    "SETTINGS that acknowledge and say something",
    [frame(TYPE.settings, ack, 0, Buffer.alloc(6))],
    frameSizeError,
  ],
  ["6.5", "SETTINGS on a stream", [frame(TYPE.settings, 0, 1)], protocolError],
  [
    "6.5",
    "SETTINGS of a length that is none of six",
    [frame(TYPE.settings, 0, 0, Buffer.alloc(5))],
    frameSizeError,
  ],
  ["6.5.2", "SETTINGS_ENABLE_PUSH of 2", [settings([2, 2])], protocolError],
  [
    "6.5.2",
    "SETTINGS_INITIAL_WINDOW_SIZE beyond its limit",
    [settings([4, 0x80000000])],
    { connection: [ERROR.flowControl] },
  ],
  ["6.5.2", "SETTINGS_MAX_FRAME_SIZE below its limit", [settings([5, 16_383])], protocolError],
  ["6.5.2", "SETTINGS_MAX_FRAME_SIZE beyond its limit", [settings([5, 16_777_216])], protocolError],
  ["6.5.3", "one setting twice: the second counts", [settings([4, 1], [4, 65_535]), headers(1)], answered],
  [
    "6.6",
    "a client's PUSH_PROMISE",
    [headers(1, POST, endHeaders), frame(TYPE.pushPromise, endHeaders, 1, Buffer.concat([uint32(2), whole]))],
    protocolError,
  ],
  ["6.7", "PING on a stream", [frame(TYPE.ping, 0, 1, Buffer.alloc(8))], protocolError],
  [
    "6.7",
    "PING of another length than eight bytes",
    [frame(TYPE.ping, 0, 0, Buffer.alloc(6))],
    frameSizeError,
  ],
  ["6.8", "GOAWAY on a stream", [frame(TYPE.goaway, 0, 1, Buffer.alloc(8))], protocolError],
  [
    "6.9",
    "WINDOW_UPDATE of the connection by nothing",
    [frame(TYPE.windowUpdate, 0, 0, uint32(0))],
    protocolError,
  ],
  [
    "6.9",
    "WINDOW_UPDATE of a stream by nothing",
    [headers(1, POST, endHeaders), frame(TYPE.windowUpdate, 0, 1, uint32(0))],
    { connection: [ERROR.protocol] },
  ],
  [
    "6.9",
    "WINDOW_UPDATE of another length than four bytes",
    [frame(TYPE.windowUpdate, 0, 0, Buffer.alloc(3))],
    frameSizeError,
  ],
  [
    "6.9.1",
    "a connection's window beyond its limit",
    [frame(TYPE.windowUpdate, 0, 0, uint32(0x7fffffff))],
    { connection: [ERROR.flowControl] },
  ],
  [
    "6.9.1",
    "a stream's window beyond its limit",
    [headers(1, POST, endHeaders), frame(TYPE.windowUpdate, 0, 1, uint32(0x7fffffff))],
    { stream: [ERROR.flowControl] },
  ],
  [
    "6.10",
    "CONTINUATION on the connection itself",
    [frame(TYPE.continuation, endHeaders, 0, whole)],
    protocolError,
  ],
  [
    "6.10",
    "CONTINUATION after the end of a field block",
    [headers(1), frame(TYPE.continuation, endHeaders, 1, whole)],
    protocolError,
  ],
  [
    "6.10",
    "CONTINUATION after DATA",
    [headers(1, POST, endHeaders), data(1, "a", 0), frame(TYPE.continuation, 4, 1, whole)],
    protocolError,
  ],
  [
    "6.10",
    "a field block in three pieces, one of them empty",
    inPieces(1, [...halves, Buffer.alloc(0)]),
    answered,
  ],
  [
    "8.1",
    "trailers, which end the request",
    [headers(1, POST, endHeaders), data(1, "body", 0), headers(1, [["x-checksum", "7"]])],
    { status: 200, body: /^POST \/ body$/ },
  ],
  [
    "8.1",
    "trailers that do not end the request",
    [headers(1, POST, endHeaders), headers(1, [["x-checksum", "7"]], endHeaders)],
    malformed,
  ],
  [
    "8.1",
    "trailers with a pseudo-header field",
    [headers(1, POST, endHeaders), headers(1, [METHOD])],
    malformed,
  ],
  [
    "8.1.1",
    "less DATA than content-length says",
    [headers(1, [...POST, ["content-length", "5"]], endHeaders), data(1, "four")],
    malformed,
  ],
  [
    "8.1.1",
    "more DATA than content-length says",
    [headers(1, [...POST, ["content-length", "3"]], endHeaders), data(1, "four")],
    malformed,
  ],
  [
    "8.1.1",
    "more DATA than content-length says, in several frames",
    [headers(1, [...POST, ["content-length", "3"]], endHeaders), data(1, "tw", 0), data(1, "oo")],
    malformed,
  ],
  ["8.1.1", "content-length without DATA", [headers(1, [...POST, ["content-length", "5"]])], malformed],
  ["8.2.1", "a name in capitals", [withFields(["X-Up", "1"])], malformed],
  ["8.2.1", "a name with a space in it", [withFields(["x up", "1"])], leftOut],
  ["8.2.1", "a name with a colon in it", [withFields(["x:up", "1"])], leftOut],
  ["8.2.1", "a name with a line break in it", [withFields(["x\r\nup", "1"])], leftOut],
  ["8.2.1", "no name", [withFields(["", "1"])], leftOut],
  ["8.2.1", "a value with a line feed in it", [withFields(["x-up", "1\nx: 2"])], leftOut],
  ["8.2.1", "a value with a carriage return in it", [withFields(["x-up", "1\rx: 2"])], leftOut],
  ["8.2.1", "a value with a zero byte in it", [withFields(["x-up", "1\x002"])], leftOut],
  ["8.2.1", "a value that begins with a space", [withFields(["x-up", " 1"])], leftOut],
  ["8.2.1", "a value that ends with a tab", [withFields(["x-up", "1\t"])], leftOut],
  ["8.2.2", "connection", [withFields(["connection", "close"])], malformed],
  ["8.2.2", "keep-alive", [withFields(["keep-alive", "3"])], malformed],
  ["8.2.2", "proxy-connection", [withFields(["proxy-connection", "close"])], malformed],
  ["8.2.2", "transfer-encoding", [withFields(["transfer-encoding", "chunked"])], malformed],
  ["8.2.2", "upgrade", [withFields(["upgrade", "websocket"])], malformed],
  ["8.2.2", "te with something else than trailers", [withFields(["te", "gzip"])], malformed],
  ["8.2.2", "te with trailers", [withFields(["te", "trailers"])], answered],
  [
    "8.3",
    "a pseudo-header field after another one",
    [pseudo(METHOD, SCHEME, AUTHORITY, ["x", "1"], PATH)],
    malformed,
  ],
  ["8.3", "a pseudo-header field that is not known", [pseudo([":unknown", "1"], ...request())], malformed],
  ["8.3", "a response's pseudo-header field", [pseudo([":status", "200"], ...request())], malformed],
  ["8.3", ":method twice", [pseudo(METHOD, ...request())], malformed],
  ["8.3", ":path twice", [pseudo(...request(), PATH)], malformed],
  ["8.3", ":scheme twice", [pseudo(SCHEME, ...request())], malformed],
  ["8.3", ":authority twice", [pseudo(AUTHORITY, ...request())], malformed],
  ["8.3.1", "no :method", [pseudo(SCHEME, AUTHORITY, PATH)], malformed],
  ["8.3.1", "no :scheme", [pseudo(METHOD, AUTHORITY, PATH)], malformed],
  ["8.3.1", "no :path", [pseudo(METHOD, SCHEME, AUTHORITY)], malformed],
  ["8.3.1", "an empty :path", [pseudo(METHOD, SCHEME, AUTHORITY, [":path", ""])], malformed],
  ["8.3.1", "a :path that is none", [pseudo(METHOD, SCHEME, AUTHORITY, [":path", "index.html"])], malformed],
  ["8.3.1", "neither :authority nor host", [pseudo(METHOD, SCHEME, PATH)], malformed],
  ["8.3.1", "host instead of :authority", [pseudo(METHOD, SCHEME, PATH, ["host", "localhost"])], answered],
  ["8.3.1", "host that says what :authority says", [withFields(["host", "LOCALHOST:443"])], answered],
  [
    "8.3.1",
    "host that says another name than :authority",
    [withFields(["host", "evil.example"])],
    { status: 400 },
  ],
  [
    "8.3.1",
    "an :authority with a user",
    [pseudo(METHOD, SCHEME, [":authority", "me@localhost"], PATH)],
    malformed,
  ],
  ["8.5", "CONNECT is refused", [pseudo([":method", "CONNECT"], AUTHORITY)], { status: 501 }],
  ["8.5", "CONNECT with a :path", [pseudo([":method", "CONNECT"], AUTHORITY, PATH)], malformed],
  [
    "RFC 8441",
    "a WebSocket, which is not offered",
    [pseudo([":method", "CONNECT"], [":protocol", "websocket"], SCHEME, AUTHORITY, PATH)],
    malformed,
  ],
  [
    "RFC 7541 2.3.3",
    "an index of the table that is not there",
    [frame(TYPE.headers, 5, 1, Buffer.from([0xc6]))],
    compressionError,
  ],
  ["RFC 7541 6.1", "index 0", [frame(TYPE.headers, 5, 1, Buffer.from([0x80]))], compressionError],
  [
    "RFC 7541 4.2",
    "a new size of the table at the end of a block",
    [frame(TYPE.headers, 5, 1, Buffer.concat([whole, Buffer.from([0x20])]))],
    compressionError,
  ],
  [
    "RFC 7541 6.3",
    "a size of the table beyond what was agreed",
    [frame(TYPE.headers, 5, 1, Buffer.concat([Buffer.from([0x3f, 0xe2, 0x1f]), whole]))],
    compressionError,
  ],
  [
    "RFC 7541 5.2",
    "a text whose code has more padding than a byte",
    [frame(TYPE.headers, 5, 1, Buffer.concat([whole, Buffer.from([0, 1, 0x78, 0x82, 0xff, 0xff])]))],
    compressionError,
  ],
];

describe("HTTP/2 by the clauses of RFC 9113", { skip: withoutOpenssl, concurrency: 8 }, () => {
  let world: Http2World;
  before(async () => {
    world = await startHttp2(async (req, res) => {
      if (req.url === "/early") return void res.end("early");
      if (req.url === "/large") return void res.end("a".repeat(200_000));
      if (req.url === "/204" || req.url === "/304") return void res.writeHead(Number(req.url.slice(1))).end();
      let body = "";
      for await (const chunk of req) body += chunk;
      const strange = Object.entries(req.headers).filter(([name]) =>
        /^$|^x(?!-(request|forwarded|meridian))/.test(name),
      );
      res.end(`${req.method} ${req.url} ${body || JSON.stringify(strange)}`);
    });
  });
  after(() => world.stop());

  async function opened(t: TestContext, options?: { readonly greeting: boolean }): Promise<FrameClient> {
    const client = await world.frames(options);
    t.after(() => client.destroy());
    return client;
  }

  for (const [clause, sentence, sent, outcome] of checks) {
    test(`${clause.startsWith("RFC") ? clause : `§${clause}`}: ${sentence}`, async (t) => {
      const client = await opened(t);
      client.send(...sent);
      if (outcome === "ignored") {
        await client.ping();
        assert.deepEqual(client.seen(1), { status: null, body: "", ended: false, reset: null });
        return;
      }
      if ("connection" in outcome) {
        const code = await client.goaway();
        assert.ok(client.closed);
        assert.ok(code !== null && outcome.connection.includes(code), `GOAWAY ${code}: ${client.describe()}`);
        return;
      }
      const seen = await client.answer(outcome.of ?? 1);
      if ("stream" in outcome && seen.reset === null) {
        const code = await client.goaway();
        assert.ok(code !== null && outcome.stream.includes(code), `GOAWAY ${code}: ${client.describe()}`);
        return;
      }
      if ("stream" in outcome) {
        assert.ok(outcome.stream.includes(seen.reset ?? -1), JSON.stringify([seen, client.describe()]));
        assert.equal(seen.status, null);
      } else {
        assert.equal(seen.status, outcome.status, JSON.stringify([seen, client.describe()]));
        if (outcome.body) assert.match(seen.body, outcome.body);
      }
      await client.ping();
    });
  }

  test("§3.4: the end of a connection that does not begin with the preface", async (t) => {
    const client = await opened(t, { greeting: false });
    client.send(Buffer.from("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"));
    await client.goaway();
    assert.ok(client.closed);
  });

  test("§3.4: the end of a connection whose first frame is not SETTINGS", async (t) => {
    const client = await opened(t, { greeting: false });
    client.send(PREFACE, headers(1));
    assert.equal(await client.goaway(), ERROR.protocol);
  });

  test("§3.4, §6.5.3: says its settings first, and acknowledges the client's in time", async (t) => {
    const client = await opened(t, { greeting: false });
    client.send(PREFACE, settings([3, 50]), headers(1));
    assert.equal((await client.answer(1)).status, 200);
    assert.equal(client.frames[0]?.type, TYPE.settings);
    assert.ok(client.frames.some(({ type, flags }) => type === TYPE.settings && flags === ack));
  });

  test("§6.5.2, RFC 8441: allows 100 streams, 64 KiB of each, 32 KiB of head; and no WebSocket", async (t) => {
    const client = await opened(t);
    const { payload = Buffer.alloc(0) } = client.frames.find(({ type }) => type === TYPE.settings) ?? {};
    const said = new Map<number, number>();
    for (let at = 0; at < payload.length; at += 6)
      said.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    assert.deepEqual(
      said,
      new Map([
        [3, 100],
        [4, 65_535],
        [6, 32_768],
      ]),
    );
  });

  test("§6.7: answers PING with what it held", async (t) => {
    const client = await opened(t);
    const payload = Buffer.from("12345678");
    client.send(frame(TYPE.ping, 0, 0, payload));
    await client.ping();
    const pings = client.frames.filter(({ type }) => type === TYPE.ping);
    assert.equal(pings.length, 2);
    assert.ok(pings[0]?.flags === ack && pings[0].payload.equals(payload));
  });

  test("§6.9.1: sends no byte more than the window of a stream allows", async (t) => {
    const client = await opened(t);
    client.send(settings([4, 0]), headers(1));
    await client.until(() => client.seen(1).status === 200);
    await client.ping();
    assert.deepEqual(client.seen(1), { status: 200, body: "", ended: false, reset: null });
    client.send(frame(TYPE.windowUpdate, 0, 1, uint32(3)));
    await client.until(() => client.seen(1).body.length > 0);
    await client.ping();
    assert.deepEqual(client.seen(1), { status: 200, body: "GET", ended: false, reset: null });
    client.send(frame(TYPE.windowUpdate, 0, 1, uint32(100)));
    assert.deepEqual(await client.answer(1), { status: 200, body: "GET / []", ended: true, reset: null });
  });

  test("§6.9.2: a window that SETTINGS make negative is waited for", async (t) => {
    const client = await opened(t);
    client.send(settings([4, 4]), headers(1));
    await client.until(() => client.seen(1).body.length === 4);
    client.send(settings([4, 1]), frame(TYPE.windowUpdate, 0, 1, uint32(3)));
    await client.ping();
    assert.equal(client.seen(1).body, "GET ");
    client.send(frame(TYPE.windowUpdate, 0, 1, uint32(1)));
    await client.until(() => client.seen(1).body.length === 5);
    client.send(settings([4, 65_535]));
    assert.equal((await client.answer(1)).body, "GET / []");
  });

  test("§6.9.1: sends no byte more than the window of the connection allows", async (t) => {
    const client = await opened(t);
    client.send(settings([4, 0x7fffffff]), headers(1, request({ ":path": "/large" })));
    await client.until(() => client.seen(1).body.length === 65_535);
    client.send(headers(3));
    await client.until(() => client.seen(3).status === 200);
    await client.ping();
    assert.deepEqual([client.seen(1).body.length, client.seen(3).body], [65_535, ""]);
    client.send(frame(TYPE.windowUpdate, 0, 0, uint32(1_000_000)));
    assert.equal((await client.answer(1)).body.length, 200_000);
    assert.equal((await client.answer(3)).body, "GET / []");
  });

  test("§5.1.2: serves a hundred streams at a time, and ends the connection of who opens one more", async (t) => {
    const client = await opened(t);
    const ids = Array.from({ length: 100 }, (_, index) => 2 * index + 1);
    client.send(...ids.map((id) => headers(id, POST, endHeaders)));
    await client.ping();
    client.send(data(199, "last"));
    assert.match((await client.answer(199)).body, /^POST \/ last$/);
    client.send(headers(201, POST, endHeaders), headers(203));
    assert.equal(await client.goaway(), ERROR.protocol);
  });

  test("§8.1, RFC 9110 §6.4.1: says of HEAD, 204 and 304 with their heads that there is no content", async (t) => {
    const client = await opened(t);
    const paths = [
      request({ ":method": "HEAD" }),
      request({ ":path": "/204" }),
      request({ ":path": "/304" }),
    ];
    client.send(...paths.map((fields, index) => headers(2 * index + 1, fields)));
    for (const [id, status] of [
      [1, 200],
      [3, 204],
      [5, 304],
    ] as const)
      assert.deepEqual(await client.answer(id), { status, body: "", ended: true, reset: null });
  });

  test("§8.1: an answer before the end of a request, and then that no more of it is wanted", async (t) => {
    const client = await opened(t);
    client.send(
      headers(1, request({ ":method": "POST", ":path": "/early" }), endHeaders),
      data(1, "some", 0),
    );
    await client.until(() => client.seen(1).reset !== null);
    assert.deepEqual(client.seen(1), { status: 200, body: "early", ended: true, reset: ERROR.none });
    client.send(data(1, "more", 0), headers(3));
    assert.equal((await client.answer(3)).status, 200);
  });

  test("§8.6: an :authority and a :path are what the region gets, and nothing else", async (t) => {
    const client = await opened(t);
    client.send(headers(1, request({ ":path": "/a%20b?c=d", ":authority": "shop.example:8443" })));
    assert.match((await client.answer(1)).body, /^GET \/a%20b\?c=d /);
    for (const [index, path] of ["*", "http://evil.example/", "/a b", "//evil.example\\a"].entries()) {
      const id = 2 * index + 3;
      client.send(headers(id, request({ ":path": path })));
      const seen = await client.answer(id).catch(() => null);
      assert.ok(
        seen === null || seen.status === null || seen.status === 400 || path.startsWith("//"),
        `${path} ${seen?.status}`,
      );
    }
  });
});
