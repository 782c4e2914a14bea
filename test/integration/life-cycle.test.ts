import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { WebSocket } from "ws";
import { parse, stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { load } from "../support/load.ts";
import { freePort } from "../support/ports.ts";
import { good, RawRegion } from "../support/raw-region.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

async function readyz(adminUrl: string): Promise<number | null> {
  try {
    return (await fetch(`${adminUrl}/readyz`)).status;
  } catch {
    return null;
  }
}

function connects(httpUrl: string): Promise<boolean> {
  const socket = connect(Number(new URL(httpUrl).port), "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

interface Answer {
  readonly status: number | undefined;
  readonly connection: string | undefined;
  /** False when it was cut. */
  readonly whole: boolean;
}

async function answer(url: string, agent?: Agent): Promise<Answer> {
  const req = get(url, agent === undefined ? {} : { agent });
  const [res] = (await once(req, "response")) as [IncomingMessage];
  await new Promise((resolve) =>
    res
      .on("error", () => {})
      .once("close", resolve)
      .resume(),
  );
  return { status: res.statusCode, connection: res.headers.connection, whole: res.complete };
}

/** Open descriptors and resident memory of a process. */
async function holds(pid: number): Promise<{ descriptors: number; mebibytes: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  return { descriptors, mebibytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024 };
}

/** Changes the weight of a region, and so that there are new pools of connections, the time-outs. */
async function reload(edge: EdgeProcess, round: number): Promise<void> {
  const config = parse(await readFile(edge.configFile, "utf8"));
  config.regions["eu-west"].weight = round;
  config.proxy.idleTimeout = `${round}m`;
  await writeFile(edge.configFile, stringify(config));
  edge.child.kill("SIGHUP");
  await eventually(async () => {
    const status = (await (await fetch(`${edge.adminUrl}/v1/status`)).json()) as { configVersion: number };
    assert.equal(status.configVersion, round + 1);
  });
}

describe("an edge", { concurrency: 2 }, () => {
  let world: SimulatedWorld;
  before(async () => {
    world = await startWorld();
    for (const region of world.regions) acceptWebSockets(region);
  });
  after(() => world.stop());

  async function edgeBefore(t: TestContext, overrides: Record<string, unknown> = {}): Promise<EdgeProcess> {
    const edge = await startEdgeProcess(edgeYaml(world, stringify(overrides)));
    t.after(() => edge.kill());
    return edge;
  }

  test("is ready when it has heard from its regions and listens, and says so no sooner", async (t) => {
    const silent = await new RawRegion(good).start();
    t.after(() => silent.stop());
    silent.deaf = true;
    const [http, admin] = [await freePort(), await freePort()];
    const starting = startEdgeProcess(
      edgeYaml(
        world,
        stringify({
          listen: { http: { port: http } },
          admin: { port: admin },
          regions: { "us-east": { endpoints: [silent.url] } },
          health: { interval: "3s", timeout: "1500ms" },
        }),
      ),
    );
    t.after(async () => (await starting).kill());
    const seen = new Set<string>();
    await eventually(
      async () => {
        // The listener after readiness: whoever was told that it is ready finds it listening.
        const ready = await readyz(`http://127.0.0.1:${admin}`);
        seen.add(`${ready} ${await connects(`http://127.0.0.1:${http}`)}`);
        return ready === 200;
      },
      { withinMs: 30_000 },
    );
    assert.ok(seen.has("503 false"), "it was asked too late");
    assert.ok(!seen.has("200 false"));
    assert.ok(seen.has("200 true"));
  });

  test("stops step by step at TERM", async (t) => {
    const edge = await edgeBefore(t, { shutdown: { grace: "8s" } });
    const kept = new Agent({ keepAlive: true, maxSockets: 1 });
    const idle = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => [kept, idle].forEach((agent) => void agent.destroy()));
    assert.equal((await answer(`${edge.httpUrl}/items/a`, kept)).connection, "keep-alive");
    await answer(`${edge.httpUrl}/items/a`, idle);
    const idleSockets = Object.values(idle.freeSockets).flatMap((sockets) => sockets ?? []);
    const idleClosed = Promise.all(idleSockets.map((socket) => once(socket, "close")));
    const slow = answer(`${edge.httpUrl}/slow?ms=4000`);
    const tooSlow = answer(`${edge.httpUrl}/slow?ms=9000`).catch(() => null);
    const events = answer(`${edge.httpUrl}/events?every=20`);
    const socket = new WebSocket(`${edge.httpUrl.replace("http", "ws")}/ws`);
    const socketClosed = once(socket, "close");
    await once(socket, "message");
    const exited = once(edge.child, "exit");

    edge.child.kill("SIGTERM");
    await eventually(async () => assert.equal(await readyz(edge.adminUrl), 503));
    // It still accepts, so that a balancer has the time to notice; and asks everybody to close.
    const late = await answer(`${edge.httpUrl}/items/a`);
    assert.deepEqual(late, { status: 200, connection: "close", whole: true });
    assert.deepEqual(await answer(`${edge.httpUrl}/items/a`, kept), late);
    assert.deepEqual(Object.keys(kept.freeSockets), []);
    // Then it listens no more, and closes what is idle.
    await eventually(async () => assert.equal(await connects(edge.httpUrl), false));
    assert.equal((await idleClosed).length, 1);
    assert.equal(await readyz(edge.adminUrl), 503);
    // What is in flight ends in its own time, within the grace.
    const { status, whole } = await slow;
    assert.deepEqual([status, whole], [200, true]);
    // WebSockets are told to come back before it ends.
    const [code] = await socketClosed;
    assert.equal(code, 1012);
    // Event streams have been ended between two events, and what would not end is cut.
    assert.equal((await events).whole, true);
    assert.equal(await tooSlow, null);
    assert.deepEqual(await exited, [0, null]);
  });

  test("that nobody needs any more stops without waiting for its grace to end", async (t) => {
    const edge = await edgeBefore(t, { shutdown: { grace: "60s" } });
    const idle = new Agent({ keepAlive: true });
    t.after(() => idle.destroy());
    await answer(`${edge.httpUrl}/items/a`, idle);
    assert.equal(await edge.stop(), 0);
  });

  test("loses no request, memory or descriptor to twenty reloads under load", async (t) => {
    const edge = await edgeBefore(t);
    const { descriptors } = await holds(edge.pid);
    await load({ url: `${edge.httpUrl}/items/a`, ratePerSecond: 100, durationMs: 1_000 });
    const { mebibytes } = await holds(edge.pid);
    const running = load({ url: `${edge.httpUrl}/items/a`, ratePerSecond: 100, durationMs: 5_000 });
    for (let round = 1; round <= 20; round += 1) await reload(edge, round);
    const { outcomes, sent, byRegion } = await running;
    assert.deepEqual(outcomes, { 200: sent });
    assert.deepEqual(Object.keys(byRegion), ["eu-west"], "nobody lost health or latency");
    // Whatever is idle in the pools of the load goes with them.
    await reload(edge, 21);
    await eventually(
      async () => {
        const now = await holds(edge.pid);
        assert.ok(
          now.descriptors <= descriptors + 2,
          `${now.descriptors} descriptors, ${descriptors} before`,
        );
        assert.ok(now.mebibytes < mebibytes + 100, `${now.mebibytes} MiB, ${mebibytes} before`);
      },
      { withinMs: 15_000 },
    );
  });
});
