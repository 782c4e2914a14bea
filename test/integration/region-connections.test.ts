import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { ask, KINDS, type Kind } from "../support/asked.ts";
import { eventually } from "../support/eventually.ts";
import { type Behaviour, good } from "../support/raw-region.ts";
import { type RawWorld, startRawWorld } from "../support/raw-world.ts";

const ALL = Object.keys(KINDS) as Kind[];
const QUICK_PROBES = { interval: "500ms", timeout: "400ms", fall: 2 };

async function seenByAll({ edge }: RawWorld): Promise<Record<string, string>> {
  const asked = await Promise.all(ALL.map((kind) => ask(edge.httpUrl, kind)));
  return Object.fromEntries(ALL.map((kind, i) => [kind, asked[i]?.saw ?? ""]));
}

/** Nothing was sent, so everything that may be served elsewhere is, with its body, and the write is refused. */
const UNREACHABLE = {
  GET: "200 other",
  HEAD: "200 other",
  "GET with a body": "200 other",
  POST: "502 connect_failed",
  upgrade: "101 other",
};

test("a region that refuses connections costs nobody but a writer an answer, and is down by its probes", async (t) => {
  const world = await startRawWorld(t, good, { health: QUICK_PROBES });
  await world.main.stop();
  assert.deepEqual(await seenByAll(world), UNREACHABLE);
  await eventually(() => world.edge.table.view.byId.get("main")?.health === "down");
  assert.equal((await ask(world.edge.httpUrl, "POST")).saw, "503 writer_down");
  assert.deepEqual(world.main.ledger, []);
});

/** A server that is stopped with its backlog full: the kernel answers no more connection requests. */
async function unconnectable(t: TestContext): Promise<{ url: string; stop: () => Promise<void> }> {
  const script = `
    const server = require("node:http").createServer((_req, res) => res.end("ok"));
    server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [port] = await once(child.stdout.setEncoding("utf8"), "data");
  const stop = async (): Promise<void> => {
    child.kill("SIGSTOP");
    for (let taken = true; taken; ) taken = await connects(t, Number(port));
  };
  return { url: `http://127.0.0.1:${Number(port)}`, stop };
}

function connects(t: TestContext, port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1").on("error", () => {});
  t.after(() => socket.destroy());
  return Promise.race([once(socket, "connect").then(() => true), sleep(300, false)]);
}

test("a region whose backlog is full costs nobody but a writer more than the time to connect", async (t) => {
  const full = await unconnectable(t);
  const world = await startRawWorld(t, good, { mainUrl: full.url, health: QUICK_PROBES });
  await full.stop();
  assert.deepEqual(await seenByAll(world), UNREACHABLE);
  await eventually(() => world.edge.table.view.byId.get("main")?.health === "down");
});

test("a region that takes connections and never reads is given up, whatever is sent to it", async (t) => {
  const { edge, main, other, ejected } = await startRawWorld(t, good);
  main.deaf = true;
  const get = ask(edge.httpUrl, "GET");
  const upload = await request(edge.httpUrl, { method: "PUT", body: Buffer.alloc(30_000_000) });
  assert.equal(upload.statusCode, 504);
  assert.equal(((await upload.body.json()) as { fault: string }).fault, "response_timeout");
  assert.equal((await get).saw, "200 other");
  assert.deepEqual([main.ledger.length, other.ledger.length, ejected], [0, 1, []]);
});

/** Serves a connection once, and ends it when a second request comes over it, without executing that. */
function endsWhenKept(how: (socket: Socket) => void): Behaviour {
  return (socket, request) => (request.nth === 0 ? good(socket, request) : how(socket));
}

const ENDINGS: Readonly<Record<string, (socket: Socket) => void>> = {
  closes: (socket) => socket.destroy(),
  resets: (socket) => void socket.resetAndDestroy(),
};

for (const [verb, how] of Object.entries(ENDINGS)) {
  test(`a region that ${verb} kept connections as requests come costs no safe request an answer`, async (t) => {
    const proxy = { responseTimeout: "1s", retryBudget: { percent: 0, floor: 0 } };
    const { edge, main, records, ejected } = await startRawWorld(t, endsWhenKept(how), {
      alone: true,
      proxy,
    });
    for (const kind of ["GET", "HEAD"] as const) {
      for (let round = 0; round < 3; round += 1) {
        const asked = await Promise.all(Array.from({ length: 6 }, () => ask(edge.httpUrl, kind)));
        assert.deepEqual(new Set(asked.map(({ saw }) => saw)), new Set(["200 main"]));
      }
    }
    assert.ok(records.some(({ attempts }) => attempts.map(({ outcome }) => outcome).join() === "reset,200"));
    assert.deepEqual([ejected, main.ledger.length > 36], [[], true], "and nobody thinks ill of it");
  });

  test(`a region that ${verb} kept connections as requests come never gets a write twice`, async (t) => {
    const { edge, main, ejected } = await startRawWorld(t, endsWhenKept(how));
    for (let round = 0; round < 4; round += 1) {
      const asked = await Promise.all(Array.from({ length: 6 }, () => ask(edge.httpUrl, "POST")));
      for (const { id, saw } of asked) {
        assert.equal(main.executed(id), 1);
        assert.match(saw, /^(200 main|502 reset)$/);
      }
    }
    assert.deepEqual(ejected, []);
  });
}

test("a connection that was closed a moment ago is used by nobody, not even for a write", async (t) => {
  const { edge, main, records } = await startRawWorld(t, good, { alone: true });
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 6 }, () => ask(edge.httpUrl, "GET")));
    for (const socket of main.sockets) socket.end();
    await eventually(() => [...main.sockets].every(({ readableEnded }) => readableEnded));
    const asked = await Promise.all(Array.from({ length: 6 }, () => ask(edge.httpUrl, "POST")));
    assert.deepEqual(new Set(asked.map(({ saw }) => saw)), new Set(["200 main"]));
  }
  assert.ok(records.every(({ attempts }) => attempts.length === 1));
});

test("a region that resets new connections too is asked no third time", async (t) => {
  let well = true;
  const { edge, main } = await startRawWorld(
    t,
    (socket, request) => (well ? good(socket, request) : socket.resetAndDestroy()),
    { alone: true },
  );
  await ask(edge.httpUrl, "GET");
  well = false;
  const { id, saw } = await ask(edge.httpUrl, "GET");
  assert.deepEqual([saw, main.executed(id)], ["502 reset", 2]);
});
