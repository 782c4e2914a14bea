import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { describe, test } from "node:test";
import { ask } from "../support/asked.ts";
import { eventually } from "../support/eventually.ts";
import type { Behaviour } from "../support/raw-region.ts";
import { startRawWorld } from "../support/raw-world.ts";

const OK = "HTTP/1.1 200 OK\r\n";

/** A body that never ends, as fast as it is taken. */
const endless: Behaviour = (socket) => {
  const chunk = `10000\r\n${"x".repeat(0x1_00_00)}\r\n`;
  const push = (): void => {
    while (socket.write(chunk));
  };
  socket.on("drain", push).write(`${OK}transfer-encoding: chunked\r\n\r\n`);
  push();
};

/** A body that comes in pieces with pauses between; `null`: it stops there for good. */
function drips(pieces: readonly (string | null)[], everyMs: number): Behaviour {
  return (socket) => {
    const left = pieces.values();
    socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`);
    const timer = setInterval(() => {
      const piece = left.next().value ?? null;
      if (piece === null) clearInterval(timer);
      else socket.write(piece === "" ? "0\r\n\r\n" : `${piece.length.toString(16)}\r\n${piece}\r\n`);
    }, everyMs);
  };
}

async function begun(url: string): Promise<{ res: IncomingMessage; leave: () => void }> {
  const req = httpRequest(url).end();
  req.on("error", () => {});
  const [res] = (await once(req, "response")) as [IncomingMessage];
  res.on("error", () => {});
  return { res, leave: () => req.destroy() };
}

describe("a body of a region", { concurrency: 3 }, () => {
  test("a body without end ends at the region as soon as its client leaves, and leaves nothing behind", async (t) => {
    const { edge, main, records } = await startRawWorld(t, endless, { alone: true });
    for (let round = 0; round < 10; round += 1) {
      const { res, leave } = await begun(edge.httpUrl);
      await once(res, "data");
      leave();
    }
    await eventually(() => records.length === 10);
    // Its probe keeps a connection of its own.
    await eventually(() => main.sockets.size <= 1);
    assert.equal(edge.table.status()[0]?.requestsInFlight, 0);
    assert.equal(edge.table.view.byId.get("main")?.health, "up");
  });

  test("a body without end goes no faster than its client reads, and waits for nobody who does not", async (t) => {
    const { edge, main, records } = await startRawWorld(t, endless, { alone: true });
    const { res } = await begun(edge.httpUrl);
    res.pause();
    const sent = (): number =>
      [...main.sockets].reduce((most, socket) => Math.max(most, socket.bytesWritten), 0);
    await eventually(() => records.length === 1);
    assert.equal(records[0]?.fault, "request_timeout");
    assert.ok(sent() < 100_000_000, `${sent()} bytes went to somebody who read none`);
    await eventually(() => main.sockets.size <= 1);
  });

  test("a body may take longer than every time-out as long as it moves", async (t) => {
    const pieces = [..."slow and steady"];
    const { edge, ejected } = await startRawWorld(t, drips([...pieces, ""], 150));
    const asked = await Promise.all([ask(edge.httpUrl, "GET"), ask(edge.httpUrl, "POST")]);
    for (const { saw, body } of asked) assert.deepEqual([saw, body], ["200 main", "slow and steady"]);
    assert.deepEqual(ejected, []);
  });

  test("a body that falls silent is cut, but silence in event streams takes no region out of service", async (t) => {
    const { edge, main, ejected } = await startRawWorld(t, drips(["half", null], 10));
    const asked = await Promise.all(Array.from({ length: 6 }, () => ask(edge.httpUrl, "GET")));
    assert.deepEqual(new Set(asked.map(({ saw }) => saw)), new Set(["200 main cut"]));
    assert.deepEqual([ejected, main.ledger.length], [[], 6]);
  });

  test("a region that cuts its bodies is out of service after five in a row", async (t) => {
    const { edge, ejected } = await startRawWorld(t, (socket) => {
      socket.write(`${OK}content-length: 9\r\n\r\nhalf`);
      setTimeout(() => socket.destroy(), 50);
    });
    const asked = await Promise.all(Array.from({ length: 5 }, () => ask(edge.httpUrl, "GET")));
    assert.deepEqual(new Set(asked.map(({ saw }) => saw)), new Set(["200 main cut"]));
    assert.deepEqual(ejected, ["reset"]);
    assert.equal((await ask(edge.httpUrl, "GET")).saw, "200 other");
  });

  test("a region that is out of service because of its answers is back after its probes", async (t) => {
    const health = { interval: "500ms", timeout: "400ms" };
    const { edge, ejected } = await startRawWorld(t, (socket) => void socket.resetAndDestroy(), { health });
    const healthNow = () => edge.table.view.byId.get("main")?.health;
    await Promise.all(Array.from({ length: 5 }, () => ask(edge.httpUrl, "GET")));
    assert.deepEqual([ejected, healthNow()], [["reset"], "down"]);
    await eventually(() => healthNow() === "up");
  });

  test("what comes behind an answer is nobody's answer", async (t) => {
    const { edge, main } = await startRawWorld(t, (socket, { headers }) => {
      const id = headers.get("x-id") ?? "";
      socket.write(`${OK}content-length: ${id.length}\r\n\r\n${id}${OK}content-length: 5\r\n\r\nwrong`);
    });
    for (let round = 0; round < 10; round += 1) {
      const asked = await Promise.all(Array.from({ length: 8 }, () => ask(edge.httpUrl, "GET")));
      for (const { id, saw, body } of asked) assert.deepEqual([saw, body], ["200 main", id]);
    }
    assert.ok(
      main.ledger.every(({ nth }) => nth === 0),
      "and its connection is used no more",
    );
  });
});
