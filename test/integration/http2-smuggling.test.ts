import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { after, before, describe, test } from "node:test";
import { withoutOpenssl } from "../support/certificates.ts";
import { type Http2World, startHttp2 } from "../support/h2-edge.ts";
import { data, type Field, FLAG, type FrameClient, headers, request } from "../support/h2-frames.ts";

/** What a region is sent, byte for byte: whatever comes in one go is one request, and each gets an empty answer. */
class Recorder {
  readonly server: Server;
  text = "";

  constructor() {
    this.server = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        const text = chunk.toString("latin1");
        if (!text.startsWith("GET /healthz")) this.text += text;
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      });
    });
  }

  /** The requests that a parser finds in it which believes every line. */
  get requestLines(): readonly string[] {
    return this.text.match(/^[A-Z]+ \S.* HTTP\/1\.1\r$/gm)?.map((line) => line.trimEnd()) ?? [];
  }
}

const SECOND = "GET /admin HTTP/1.1\r\nhost: inside\r\n\r\n";

/** Each tries to make two requests of one, or another of the one that it is. */
const rows: readonly (readonly [
  name: string,
  fields: readonly Field[],
  body: string | null,
  region: readonly string[],
])[] = [
  ["a line feed in a value", [...request(), ["x-a", `1\n${SECOND}`]], null, ["GET / HTTP/1.1"]],
  ["CR LF in a value", [...request(), ["x-a", `1\r\n\r\n${SECOND}`]], null, ["GET / HTTP/1.1"]],
  ["CR LF in a name", [...request(), [`x-a: 1\r\n\r\n${SECOND}x`, "1"]], null, ["GET / HTTP/1.1"]],
  ["a zero byte in a value", [...request(), ["x-a", `1\0${SECOND}`]], null, ["GET / HTTP/1.1"]],
  ["a colon in a name", [...request(), ["transfer-encoding: chunked", "1"]], null, ["GET / HTTP/1.1"]],
  ["a name in capitals", [...request(), ["Transfer-Encoding", "chunked"]], null, []],
  [
    "transfer-encoding",
    [...request({ ":method": "POST" }), ["transfer-encoding", "chunked"]],
    `0\r\n\r\n${SECOND}`,
    [],
  ],
  ["CR LF in :path", [...request({ ":path": `/ HTTP/1.1\r\n\r\n${SECOND}` })], null, []],
  ["a space in :path", [...request({ ":path": "/ HTTP/1.1" })], null, []],
  ["CR LF in :method", [...request({ ":method": `GET / HTTP/1.1\r\n\r\n${SECOND}` })], null, []],
  ["a space in :method", [...request({ ":method": "GET /admin HTTP/1.1" })], null, []],
  ["CR LF in :authority", [...request({ ":authority": `a\r\n\r\n${SECOND}` })], null, []],
  ["a space in :authority", [...request({ ":authority": "a b" })], null, []],
  ["CR LF in :scheme", [...request({ ":scheme": `https\r\nx: 1` })], null, []],
  [
    "a shorter content-length",
    [...request({ ":method": "POST" }), ["content-length", "3"]],
    `abc${SECOND}`,
    [],
  ],
  ["a longer content-length", [...request({ ":method": "POST" }), ["content-length", "300"]], "abc", []],
  [
    "two content-lengths",
    [...request({ ":method": "POST" }), ["content-length", "3"], ["content-length", "40"]],
    "abc",
    [],
  ],
  ["a content-length that is none", [...request({ ":method": "POST" }), ["content-length", "+3"]], "abc", []],
  ["a body of a GET", [...request()], SECOND, ["GET / HTTP/1.1"]],
  ["a body of a DELETE", [...request({ ":method": "DELETE" })], SECOND, ["DELETE / HTTP/1.1"]],
  ["host beside another :authority", [...request(), ["host", "inside"]], null, []],
  ["host twice", [...request({ ":authority": undefined }), ["host", "a"], ["host", "b"]], null, []],
  ["connection that names a field", [...request(), ["connection", "x-forwarded-for"]], null, []],
  ["an :authority with a path", [...request({ ":authority": "a/../b" })], null, []],
];

describe("a region behind HTTP/2", { skip: withoutOpenssl }, () => {
  const recorder = new Recorder();
  let world: Http2World;
  let client: FrameClient;

  before(async () => {
    recorder.server.listen(0, "127.0.0.1");
    await once(recorder.server, "listening");
    const { port } = recorder.server.address() as AddressInfo;
    const regions = { main: { role: "writer", endpoints: [`http://127.0.0.1:${port}`] } };
    world = await startHttp2(() => {}, { regions });
  });
  after(async () => {
    await world.stop();
    recorder.server.close();
  });

  for (const [name, fields, body, expected] of rows) {
    test(`is sent no other request than the one that was made, by ${name}`, async (t) => {
      client = await world.frames();
      t.after(() => client.destroy());
      recorder.text = "";
      client.send(headers(1, fields, body === null ? FLAG.endHeaders | FLAG.endStream : FLAG.endHeaders));
      if (body !== null) client.send(data(1, body));
      const seen = await client.answer(1);
      const sent = recorder.requestLines.filter((line) => !/^GET \/admin/.test(line));
      assert.deepEqual(sent, expected, JSON.stringify([seen, recorder.text]));
      if (expected.length > 0) assert.equal(seen.status, 200);
      else assert.ok(seen.status === 400 || seen.status === null, `${seen.status}`);
      const { text } = recorder;
      const end = text.indexOf("\r\n\r\n");
      const head = end === -1 ? "" : text.slice(0, end + 2);
      assert.doesNotMatch(head, /inside|\/admin|[^\r]\n|\0/);
      assert.ok((head.match(/^host: /gim) ?? []).length <= 1);
      assert.ok((head.match(/^(content-length|transfer-encoding): /gim) ?? []).length <= 1);
      // What follows the head is the body, of the length that is said.
      if (body !== null && expected.length > 0) {
        assert.match(head, new RegExp(`^content-length: ${body.length}\r$`, "m"));
        assert.equal(text.slice(end + 4), body);
      } else assert.ok(end === -1 || end + 4 === text.length, text);
    });
  }
});
