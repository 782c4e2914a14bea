import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, request } from "undici";
import { createPool, type RequestPool } from "../../src/regions/pool.ts";
import { transportOf } from "../../src/regions/transport.ts";
import { eventually } from "../support/eventually.ts";

interface World {
  readonly pool: RequestPool;
  /** Connections that are open, in the order in which they came. */
  readonly sockets: Socket[];
  /** Which connection each request came over. */
  readonly used: number[];
  /** Resolves with the status. */
  readonly get: (path?: string, headers?: Record<string, string>) => Promise<number>;
}

/** Answers after 30 ms, so that requests that are made together need a connection each. */
async function world(t: TestContext, connections: number): Promise<World> {
  const sockets: Socket[] = [];
  const used: number[] = [];
  const server: Server = createServer((req, res) => {
    used.push(sockets.indexOf(req.socket));
    setTimeout(() => res.end("ok"), 30);
  });
  server.on("connection", (socket) => sockets.push(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = {
    connectTimeout: 500,
    responseTimeout: 2_000,
    idleTimeout: 2_000,
    maxHeaderBytes: 16_384,
  };
  const pool = createPool(transportOf(origin, { http2: false }), {
    connectionsPerEndpoint: connections,
    ...settings,
  });
  t.after(async () => {
    await pool.destroy();
    server.closeAllConnections();
    server.close();
  });
  const get = async (path = "/", headers = {}): Promise<number> => {
    const dispatcher = pool as unknown as Dispatcher;
    const { statusCode, body } = await request(`${origin}${path}`, { dispatcher, headers });
    await body.dump();
    return statusCode;
  };
  return { pool, sockets, used, get };
}

test("the connection that was used last is used first", async (t) => {
  const { get, used, sockets } = await world(t, 8);
  await Promise.all([get(), get(), get()]);
  for (let i = 0; i < 4; i += 1) {
    await sleep(5);
    await get();
  }
  assert.equal(sockets.length, 3);
  assert.equal(new Set(used.slice(3)).size, 1);
});

test("requests beyond the connections that there may be wait for one", async (t) => {
  const { get, sockets } = await world(t, 2);
  const statuses = await Promise.all(Array.from({ length: 9 }, () => get()));
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.equal(sockets.length, 2);
});

test("a request that cannot be sent leaves its connection to others", async (t) => {
  const { get, sockets } = await world(t, 1);
  await get();
  await sleep(5);
  await assert.rejects(get("/", { "transfer-encoding": "chunked" }));
  assert.equal(await get(), 200);
  assert.equal(sockets.length, 1);
});

test("a connection that the other side has closed is not taken for a free one", async (t) => {
  const { get, sockets } = await world(t, 4);
  await Promise.all([get(), get()]);
  await sleep(5);
  for (const socket of sockets) socket.destroy();
  await sleep(20);
  assert.deepEqual(await Promise.all([get(), get(), get()]), [200, 200, 200]);
  assert.equal(sockets.length, 5);
});

test("closing waits for the requests that there are, those that wait for a connection too, and takes no more", async (t) => {
  const { get, pool, sockets } = await world(t, 1);
  const asked = [get(), get(), get()];
  const closing = pool.close();
  assert.throws(() => pool.dispatch({ path: "/", method: "GET" }, {}), { code: "UND_ERR_CLOSED" });
  await closing;
  assert.deepEqual(await Promise.all(asked), [200, 200, 200]);
  await eventually(() => sockets.every(({ destroyed }) => destroyed));
});

test("destroying cuts the requests that there are, and ends a close that waits for them", async (t) => {
  const { get, pool } = await world(t, 1);
  const asked = Promise.allSettled([get(), get()]);
  const closing = pool.close();
  await pool.destroy();
  await closing;
  assert.deepEqual(
    (await asked).map(({ status }) => status),
    ["rejected", "rejected"],
  );
});
