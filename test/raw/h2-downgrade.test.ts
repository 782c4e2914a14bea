import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Authority, withoutOpenssl } from "../support/certificates.ts";
import { data, type Field, FLAG, FrameClient, headers, request } from "../support/h2-frames.ts";
import { SMUGGLED } from "./case.ts";
import { type StartedLane, startEdgeLane } from "./edge-lane.ts";

/** What the smuggler hopes to have written into HTTP/1 as it is. */
const BREAK = `\r\n\r\n${SMUGGLED}`;
const POST = { ":method": "POST" };

type Row = readonly [attack: string, head: readonly Field[], body: string | null];

/** Requests that HTTP/2 can carry, or that somebody's HTTP/2 lets through, and that are two in HTTP/1. */
const ROWS: readonly Row[] = [
  ["H2.CL: a length of 0 before a body", [...request(POST), ["content-length", "0"]], SMUGGLED],
  ["H2.CL: a length that is shorter than the body", [...request(POST), ["content-length", "3"]], SMUGGLED],
  ["H2.CL: two lengths", [...request(POST), ["content-length", "0"], ["content-length", "3"]], SMUGGLED],
  ["H2.TE: transfer-encoding", [...request(POST), ["transfer-encoding", "chunked"]], `0${BREAK}`],
  ["H2.TE in another case", [...request(POST), ["Transfer-Encoding", "chunked"]], `0${BREAK}`],
  ["H2.TE in a value", [...request(POST), ["x", "1\r\ntransfer-encoding: chunked"]], `0${BREAK}`],
  ["H2.TE in a name", [...request(POST), ["x: 1\r\ntransfer-encoding", "chunked"]], `0${BREAK}`],
  ["a line break in a value", [...request(), ["x", `1${BREAK}`]], null],
  ["a bare line feed in a value", [...request(), ["x", "1\nhost: evil.test"]], null],
  ["a line break in a name", [...request(), [`x: 1${BREAK}y`, "1"]], null],
  ["a line break in :path", request({ ":path": `/ HTTP/1.1${BREAK}` }), null],
  ["a space in :path", request({ ":path": "/smuggled HTTP/1.1" }), null],
  ["a line break in :method", request({ ":method": `GET / HTTP/1.1${BREAK}` }), null],
  ["a space in :method", request({ ":method": "GET /smuggled HTTP/1.1" }), null],
  ["a line break in :authority", request({ ":authority": `localhost${BREAK}` }), null],
  ["a path in :authority", request({ ":authority": "localhost/smuggled" }), null],
  ["a line break in :scheme", request({ ":scheme": `http://localhost/ HTTP/1.1${BREAK}` }), null],
  ["an absolute :path", request({ ":path": "http://evil.test/smuggled" }), null],
  ["a fragment in :path", request({ ":path": "/#/smuggled" }), null],
  ["two names of the host", [...request(), ["host", "evil.test"]], null],
  ["a colon before a name", [...request(), [":x", "1"]], null],
  ["bytes of another request in the body of a GET", request(), SMUGGLED],
  ["a line break in a cookie's crumb", [...request(), ["cookie", "a=1"], ["cookie", `b=2${BREAK}`]], null],
];

describe("HTTP/2 requests that would be two in HTTP/1", { skip: withoutOpenssl }, () => {
  let authority: Authority;
  let lane: StartedLane;

  before(async () => {
    authority = await Authority.create();
    lane = await startEdgeLane({ folder: authority.folder, ...(await authority.issue()) });
  });
  after(async () => {
    await lane.stop();
    await authority.remove();
  });

  for (const [attack, head, body] of ROWS) {
    test(`${attack}: a region sees one or none`, async () => {
      const { region, httpsPort } = lane;
      const before = region.arrived.length;
      const client = await FrameClient.open({ port: httpsPort, ca: authority.cert });
      client.send(headers(1, head, FLAG.endHeaders | (body === null ? FLAG.endStream : 0)));
      if (body !== null) client.send(data(1, body));
      const { status, ended, reset } = await client.answer(1);
      assert.ok(status !== null || reset !== null || client.closed, `nothing came of it: ${ended}`);
      client.destroy();
      await lane.settled();
      const seen = region.arrived.slice(before);
      assert.deepEqual(region.doubts, [], "what a region sees leaves no doubt");
      assert.ok(seen.length <= 1, `the region saw ${seen.length} requests`);
      for (const { target, fields } of seen) {
        assert.doesNotMatch(target, /smuggled/);
        assert.ok(fields.every(([, value]) => !value.includes("evil.test") && !value.includes("smuggled")));
      }
    });
  }

  test("a proxied request is seen at all", async () => {
    const before = lane.region.arrived.length;
    const client = await FrameClient.open({ port: lane.httpsPort, ca: authority.cert });
    client.send(headers(1, request({ ":path": "/plain" })));
    assert.equal((await client.answer(1)).body, "/plain");
    client.destroy();
    assert.deepEqual(
      lane.region.arrived.slice(before).map(({ target }) => target),
      ["/plain"],
    );
  });
});
