import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { fixedRate, load } from "../../bench/load-order.ts";
import { isInstalled } from "../../bench/subjects.ts";

const STALL_MS = 400;

async function listening(t: { after(done: () => void): void }, listener: RequestListener): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000 }, listener).listen(0, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

describe("the loads of the bench", () => {
  const skip = isInstalled("wrk") ? false : "needs wrk";

  it("at a fixed rate charge a stall with every request that was meant to be sent in it", {
    skip,
  }, async (t) => {
    let [asked, began] = [0, 0];
    const server = await listening(t, (_request, response) => {
      asked += 1;
      // A process that does nothing else, as in a long collection of garbage, in the middle of the load.
      if (asked === began + 300)
        for (const endMs = performance.now() + STALL_MS; performance.now() < endMs; );
      response.end("ok");
    });
    const begun = async () => {
      began = asked;
    };
    const url = `http://127.0.0.1:${portOf(server)}/`;
    const order = { url, connections: 4, seconds: 1, readers: null, perSecond: 1_000 };
    const counted = await fixedRate(order, begun);
    assert.deepEqual([counted.requests, counted.failed, asked - began], [1_000, 0, 1_000]);
    // Four connections have one request each in the stall: by what they see, 4 of 1,000 have waited.
    assert.ok(counted.p99Ms > STALL_MS / 2, `p99 ${counted.p99Ms} ms`);
  });

  it("count what was answered other than 200 as failed", { skip }, async (t) => {
    let asked = 0;
    const server = await listening(t, (_request, response) => {
      asked += 1;
      response.writeHead(asked % 2 === 0 ? 500 : 200).end();
    });
    const url = `http://127.0.0.1:${portOf(server)}/`;
    const order = { url, connections: 2, seconds: 1, readers: null, perSecond: 100 };
    assert.equal((await fixedRate(order, async () => undefined)).failed, 50);
  });

  it("spread their requests evenly over however many connections, and count when all are open", async (t) => {
    const asked = new Map<number | undefined, number>();
    const server = await listening(t, ({ socket: { remotePort } }, response) => {
      asked.set(remotePort, (asked.get(remotePort) ?? 0) + 1);
      response.end("ok");
    });
    let openWhenBegun = 0;
    const order = { kind: "spread", port: portOf(server), path: "/", connections: 300, seconds: 1 } as const;
    const counted = await load(order, async () => {
      openWhenBegun = await promisify(server.getConnections.bind(server))();
    });
    const [least, most] = [Math.min(...asked.values()), Math.max(...asked.values())];
    assert.deepEqual([openWhenBegun, asked.size, counted.failed], [300, 300, 0]);
    assert.ok(counted.requests > 300, `${counted.requests} requests`);
    // Whose answer comes late misses its turns.
    assert.ok(most - least <= 2 + most / 10, `between ${least} and ${most} on a connection`);
  });
});
