import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import { stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { NEAREST_FIRST, startWorld } from "../support/world.ts";

const run = promisify(execFile);

const KEY = "a-key-of-the-application";
const ALICE = { authorization: "Bearer alice" };

type Stage = Awaited<ReturnType<typeof stage>>;

/** Two edges before one world and one Redis. */
async function stage(t: TestContext, { graceWindow = "30s", lagMs = 1_500 } = {}) {
  const world: SimulatedWorld = await startWorld({ regions: NEAREST_FIRST, lagMs });
  t.after(() => world.stop());
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const edge = async (id: string) => {
    const yaml = stringify({
      edge: { id },
      redis: { url: redis.url },
      routing: { policy: "priority", paths: [{ path: "/ws", as: "write" }] },
      health: { maxLag: "2m" },
      consistency: { graceWindow, pinKeys: [KEY] },
    });
    const started = await startTestEdge(world, yaml);
    t.after(() => started.stop(0));
    return started;
  };
  return { world, redis, here: await edge("here"), there: await edge("there") };
}

function dial({ httpUrl }: Edge, path: string, headers: Record<string, string>): WebSocket {
  const socket = new WebSocket(`${httpUrl.replace("http", "ws")}${path}`, { headers });
  socket.on("error", () => {});
  return socket;
}

async function message(socket: WebSocket): Promise<string> {
  const [data] = (await once(socket, "message")) as [RawData];
  return data.toString();
}

async function read(edge: Edge, headers: Record<string, string> = ALICE) {
  const answer = await fetch(`${edge.httpUrl}/items/a`, { headers });
  const { version } = (await answer.json()) as { version: number };
  return `${answer.headers.get("x-meridian-region")} ${answer.headers.get("x-meridian-reason")} ${version}`;
}

/** An event stream as it begins: where it comes from, and how to leave it. */
async function listen(edge: Edge): Promise<{ readonly from: string; leave(): void }> {
  const asking = get(`${edge.httpUrl}/events?every=20`, { headers: ALICE });
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  answer.on("error", () => {});
  const [event] = (await once(answer, "data")) as [Buffer];
  assert.equal(answer.headers["content-type"], "text/event-stream");
  const { region } = JSON.parse(/^data: (.*)$/m.exec(event.toString())?.[1] ?? "{}") as { region?: string };
  assert.equal(region, answer.headers["x-meridian-region"]);
  return { from: `${region} ${answer.headers["x-meridian-reason"]}`, leave: () => asking.destroy() };
}

/** Pins the user who comes with this header; resolves to whether every edge knows. */
type Pinning = (authorization: string, position: string) => Promise<boolean>;

/**
 * An application in every region that makes its write in the write region when a message comes, and acknowledges
 * it when it has pinned its user, whose name it knows from the upgrade.
 */
function writeOnMessage(world: SimulatedWorld, pinning: Pinning): void {
  for (const each of world.regions) {
    const server = new WebSocketServer({ noServer: true });
    each.onUpgrade = (request, socket, head) =>
      server.handleUpgrade(request, socket, head, (client) => {
        client.on("error", () => client.terminate());
        client.on("message", async () => {
          const written = await fetch(`${world.region("us-east").url}/items/a`, { method: "PUT" });
          await written.body?.cancel();
          const position = written.headers.get("x-meridian-position") ?? "";
          const recorded = await pinning(request.headers.authorization ?? "", position);
          client.send(recorded ? "written" : "written, but not everybody may see it");
        });
        client.send(each.id);
      });
  }
}

/** By the endpoint of this edge. */
function atEdge({ httpUrl }: Edge): Pinning {
  return async (value, position) => {
    const answer = await fetch(`${httpUrl}/.meridian/pins`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ kind: "header:authorization", value, position }),
    });
    return ((await answer.json()) as { recorded: boolean }).recorded;
  };
}

/** By the script of docs/redis-protocol.md, in Redis itself. */
function inRedis({ url }: RedisServer): Pinning {
  return async (value, position) => {
    const name = `header:authorization|${value}`;
    const mac = createHmac("sha256", "a-secret-that-only-tests-use").update(name).digest();
    const pid = mac.toString("base64url").slice(0, 22);
    const shard = `{meridian:${(mac[0] ?? 0) % 16}}`;
    const [epoch = "", at = ""] = position.split(":");
    const script = join(import.meta.dirname, "../../docs/redis/place.lua");
    const keys = [`${shard}:p:${pid}`, `${shard}:feed`, `${shard}:q:${pid}`];
    const given = ["a-nonce-of-this-test.1", "30000", pid, `${epoch.padStart(8, "0")}:${at}`];
    const answer = await run("redis-cli", ["-u", url, "--eval", script, ...keys, ",", ...given]);
    return answer.stdout.trim() === "1";
  };
}

describe("what stays open", { concurrency: 3 }, () => {
  test("an upgrade on a path that writes goes to the writer, and pins its user until after it has closed", async (t) => {
    const { world, here, there } = await stage(t, { graceWindow: "2s" });
    for (const region of world.regions) acceptWebSockets(region);
    const socket = dial(here, "/ws", ALICE);
    assert.equal(JSON.parse(await message(socket)).region, "us-east");
    for (const edge of [here, there]) assert.equal(await read(edge), "us-east pin 0");
    socket.terminate();
    for (const edge of [here, there]) assert.equal(await read(edge), "us-east pin 0");
    for (const edge of [here, there])
      await eventually(async () => (await read(edge)).startsWith("eu-west"), { withinMs: 10_000 });
  });

  test("an event stream of a pinned user comes from the writer, and after the window from home", async (t) => {
    const { here, there } = await stage(t, { graceWindow: "3s" });
    const before = await listen(there);
    assert.equal(before.from, "eu-west priority");
    before.leave();
    const written = await fetch(`${here.httpUrl}/items/a`, { method: "PUT", headers: ALICE });
    await written.body?.cancel();
    const pinned = await listen(there);
    assert.equal(pinned.from, "us-east pin");
    pinned.leave();
    await eventually(
      async () => {
        const again = await listen(there);
        again.leave();
        return again.from === "eu-west priority";
      },
      { withinMs: 10_000 },
    );
  });

  for (const [way, pinning] of [
    ["at the edge", ({ here }: Stage) => atEdge(here)],
    ["in Redis", ({ redis }: Stage) => inRedis(redis)],
  ] as const)
    test(`what was written over a WebSocket is seen through any edge once an application that pins ${way} has said so`, async (t) => {
      const staged = await stage(t, { lagMs: 60_000 });
      const { world, here, there } = staged;
      writeOnMessage(world, pinning(staged));
      const socket = dial(here, "/chat", ALICE);
      assert.equal(await message(socket), "eu-west");
      assert.equal(await read(there), "eu-west priority 0");
      socket.send("write");
      assert.equal(await message(socket), "written");
      for (const edge of [there, here]) assert.equal(await read(edge), "us-east pin 1");
      assert.equal(await read(there, { authorization: "Bearer bob" }), "eu-west priority 0");
      socket.terminate();
    });
});
