import assert from "node:assert/strict";
import { after, before, describe, type TestContext, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { withoutOpenssl } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { type Http2World, startHttp2 } from "../support/h2-edge.ts";
import {
  block,
  data,
  ERROR,
  FLAG,
  type FrameClient,
  frame,
  headers,
  request,
  rstStream,
  settings,
  TYPE,
  uint32,
} from "../support/h2-frames.ts";

const MEBIBYTE = 1_048_576;
const POST = request({ ":method": "POST" });

describe("an edge that is flooded over HTTP/2", { skip: withoutOpenssl }, () => {
  let world: Http2World;
  let asked = 0;

  before(async () => {
    setFlagsFromString("--expose-gc");
    world = await startHttp2(
      (req, res) => {
        asked += 1;
        req.resume();
        if (req.url === "/large") res.end(Buffer.alloc(4 * MEBIBYTE));
        else if (req.url !== "/never") res.end("served");
      },
      {
        limits: { headersTimeout: "1s", idleConnectionTimeout: "1s" },
        proxy: { connectionsPerEndpoint: 1_000 },
      },
    );
  });
  after(() => world.stop());

  async function opened(t: TestContext): Promise<FrameClient> {
    const client = await world.frames();
    t.after(() => client.destroy());
    return client;
  }

  /** Another client is served meanwhile, and every memory of the attacker goes. */
  async function othersAreServed(t: TestContext): Promise<void> {
    const other = await opened(t);
    other.send(headers(1));
    assert.equal((await other.answer(1)).body, "served");
    other.destroy();
  }

  /** Sends until the server ends the connection, or all is sent; returns how many pieces that took. */
  async function flood(client: FrameClient, most: number, piece: (index: number) => Buffer): Promise<number> {
    const perTurn = 100;
    let sent = 0;
    while (sent < most && !client.closed) {
      client.send(...Array.from({ length: perTurn }, (_, index) => piece(sent + index)));
      sent += perTurn;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return sent;
  }

  test("ends a client that resets its streams on and on, and bothers the region with few of them", async (t) => {
    const client = await opened(t);
    const before = asked;
    await flood(client, 20_000, (index) =>
      Buffer.concat([headers(2 * index + 1, request({ ":path": "/never" })), rstStream(2 * index + 1)]),
    );
    await client.goaway();
    assert.ok(client.closed);
    await othersAreServed(t);
    assert.ok(asked - before < 1_000, `${asked - before}`);
    await eventually(() => world.edge.table.status()[0]?.requestsInFlight === 0);
  });

  test("lets a client leave a page: a hundred streams reset at once, and again", async (t) => {
    const client = await opened(t);
    for (let round = 0; round < 3; round += 1) {
      const ids = Array.from({ length: 90 }, (_, index) => 2 * (index + 90 * round) + 1);
      client.send(...ids.map((id) => headers(id, request({ ":path": "/never" }))));
      await client.ping();
      client.send(...ids.map((id) => rstStream(id)));
      await client.ping();
    }
    client.send(headers(10_001));
    assert.equal((await client.answer(10_001)).body, "served");
  });

  test("ends a client whose field block has no end", async (t) => {
    const client = await opened(t);
    const piece = block([["x-piece", "a".repeat(8_000)]]);
    client.send(frame(TYPE.headers, FLAG.endStream, 1, block(request())));
    const sent = await flood(client, 4_000, () => frame(TYPE.continuation, 0, 1, piece));
    await client.goaway();
    assert.ok(client.closed);
    assert.ok(sent < 4_000, `${sent}`);
    await othersAreServed(t);
  });

  test("ends a client whose field block has no end, and nothing in it", async (t) => {
    const client = await opened(t);
    client.send(frame(TYPE.headers, FLAG.endStream, 1, block(request())));
    await flood(client, 20_000, () => frame(TYPE.continuation, 0, 1));
    await client.goaway();
    assert.ok(client.closed);
    await othersAreServed(t);
  });

  test("refuses a head larger than proxy.maxHeaderBytes, and one of more fields than limits.maxHeaders", async (t) => {
    const client = await opened(t);
    const large = [...request(), ["x-large", "a".repeat(16_000)], ["x-larger", "a".repeat(17_000)]] as const;
    const [first, second] = [block(large.slice(0, 5)), block(large.slice(5))];
    client.send(frame(TYPE.headers, FLAG.endStream, 1, first));
    client.send(frame(TYPE.continuation, 0, 1, second.subarray(0, 16_000)));
    client.send(frame(TYPE.continuation, FLAG.endHeaders, 1, second.subarray(16_000)));
    assert.equal((await client.answer(1)).reset, ERROR.enhanceYourCalm);
    const fields = Array.from({ length: 100 }, (_, index) => [`x-${index}`, "1"] as const);
    client.send(headers(3, [...request(), ...fields]));
    const seen = await client.answer(3);
    assert.equal(seen.status, 431);
    assert.match(seen.body, /"fault":"header_too_large"/);
    const crumbs = Array.from({ length: 180 }, (_, index) => ["cookie", `c${index}=1`] as const);
    client.send(headers(5, [...request(), ...crumbs]));
    assert.equal((await client.answer(5)).status, 200);
  });

  for (const [name, piece] of [
    ["SETTINGS", () => settings([4, 65_535])],
    ["PING", () => frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ] as const) {
    for (const reads of [true, false]) {
      test(`ends a client that sends ${name} on and on${reads ? "" : ", and reads no answer"}`, async (t) => {
        const client = await opened(t);
        if (!reads) client.pause();
        await flood(client, 20_000, piece);
        client.resume();
        const code = await client.goaway();
        assert.ok(client.closed);
        if (reads) assert.equal(code, ERROR.enhanceYourCalm);
        await othersAreServed(t);
      });
    }
  }

  test("ends a client that sends empty DATA on and on", async (t) => {
    const client = await opened(t);
    client.send(headers(1, POST, FLAG.endHeaders));
    await flood(client, 20_000, () => data(1, "", 0));
    await client.goaway();
    assert.ok(client.closed);
    await othersAreServed(t);
  });

  test("is not moved by PRIORITY, WINDOW_UPDATE and unknown frames on and on", async (t) => {
    const client = await opened(t);
    client.send(headers(1, POST, FLAG.endHeaders));
    await flood(
      client,
      20_000,
      (index) =>
        [
          frame(TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 3, 5])),
          frame(TYPE.windowUpdate, 0, 1, uint32(1)),
          frame(0xbb, 0, 0),
        ][index % 3] ?? Buffer.alloc(0),
    );
    if (!client.closed) {
      client.send(data(1, "end"));
      assert.equal((await client.answer(1)).status, 200);
    }
    await othersAreServed(t);
  });

  test("takes from regions little of what clients do not read, and forgets it when they are gone", async (t) => {
    const collect = runInNewContext("gc") as () => void;
    const held = () => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const records: number[] = [];
    const done = ({ path, bytesOut }: { path: string; bytesOut: number }) =>
      path === "/large" && records.push(bytesOut);
    world.edge.events.on("requestDone", done);
    t.after(() => world.edge.events.off("requestDone", done));
    const beforeBytes = held();
    const clients = await Promise.all([opened(t), opened(t)]);
    const ids = Array.from({ length: 50 }, (_, index) => 2 * index + 1);
    for (const client of clients)
      client.send(settings([4, 0]), ...ids.map((id) => headers(id, request({ ":path": "/large" }))));
    for (const client of clients)
      await client.until(() => ids.every((id) => client.seen(id).status === 200), 15_000);
    await othersAreServed(t);
    for (const client of clients) client.destroy();
    await eventually(() => assert.equal(records.length, 100));
    const largest = Math.max(...records);
    assert.ok(largest <= MEBIBYTE, `${largest} bytes of one answer`);
    await eventually(
      () => assert.ok(held() < beforeBytes + 8 * MEBIBYTE, `${(held() - beforeBytes) / MEBIBYTE} MiB`),
      {
        withinMs: 10_000,
      },
    );
  });

  test("ends a connection on which nothing is asked, and one that asks nothing more", async (t) => {
    const [silent, idle, busy] = await Promise.all([opened(t), opened(t), opened(t)]);
    idle.send(headers(1));
    busy.send(headers(1, request({ ":path": "/never" })));
    assert.equal((await idle.answer(1)).status, 200);
    assert.equal(await silent.goaway(), ERROR.none);
    assert.equal(await idle.goaway(), ERROR.none);
    assert.equal(busy.closed, false);
    await busy.ping();
  });
});
