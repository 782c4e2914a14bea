import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { stringify } from "yaml";
import { Balancer } from "../support/balancer.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { load } from "../support/load.ts";
import { freePort } from "../support/ports.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

const CHECK_EVERY_MS = 500;
const SOCKETS = 100;

/** Somebody who is always there: connects again as soon as it is asked to, and speaks now and then. */
class Visitor {
  readonly codes: number[] = [];
  heard = 0;
  #socket: WebSocket | null = null;
  #gone = false;
  readonly #url: string;
  readonly #speaking: NodeJS.Timeout;

  constructor(url: string) {
    this.#url = url;
    this.#speaking = setInterval(() => this.isConnected && this.#socket?.send("still here"), 500);
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  leave(): void {
    this.#gone = true;
    clearInterval(this.#speaking);
    this.#socket?.terminate();
  }

  #connect(): void {
    this.#socket = new WebSocket(this.#url);
    this.#socket.on("error", () => {});
    this.#socket.on("message", () => {
      this.heard += 1;
    });
    this.#socket.on("close", (code) => {
      if (this.#gone) return;
      this.codes.push(code);
      this.#connect();
    });
  }
}

async function twoEdges(t: TestContext) {
  const world = await startWorld();
  t.after(() => world.stop());
  for (const region of world.regions) acceptWebSockets(region);
  const yamls = await Promise.all(
    ["one", "two"].map(async (id) => {
      const [http, admin] = [await freePort(), await freePort()];
      const ports = { listen: { http: { port: http } }, admin: { port: admin } };
      return edgeYaml(world, stringify({ edge: { id }, ...ports, shutdown: { grace: "6s" } }));
    }),
  );
  const edges: EdgeProcess[] = [];
  t.after(() => Promise.all(edges.map((edge) => edge.kill())));
  const start = async (index: number): Promise<EdgeProcess> => {
    const edge = await startEdgeProcess(yamls[index] ?? "");
    edges.push(edge);
    return edge;
  };
  return { first: await start(0), second: await start(1), restart: start };
}

test("two edges behind a balancer are restarted one after the other, and no client notices", async (t) => {
  const { first, second, restart } = await twoEdges(t);
  const balancer = await new Balancer([first, second], CHECK_EVERY_MS).start();
  t.after(() => balancer.stop());
  const visitors = Array.from(
    { length: SOCKETS },
    () => new Visitor(`${balancer.url.replace("http", "ws")}/ws`),
  );
  t.after(() => visitors.forEach((visitor) => void visitor.leave()));
  const areAllThere = () => visitors.every(({ isConnected }) => isConnected);
  await eventually(areAllThere, { withinMs: 20_000 });

  // Connections that are idle for longer than an edge still accepts are closed under a client, as HTTP lets it.
  const loaded = new AbortController();
  const loading = load({
    url: `${balancer.url}/items/a`,
    ratePerSecond: 100,
    durationMs: 120_000,
    keepAliveMs: 1_000,
    timeoutMs: 20_000,
    signal: loaded.signal,
  });
  for (const [index, edge] of [first, second].entries()) {
    const codesBefore = visitors.map(({ codes }) => codes.length);
    assert.equal(await edge.stop(), 0);
    assert.ok(!balancer.sends(edge));
    await restart(index);
    await eventually(() => balancer.sends(edge), { withinMs: 10_000 });
    await eventually(areAllThere, { withinMs: 10_000 });
    const moved = visitors.filter(({ codes }, i) => codes.length > (codesBefore[i] ?? 0));
    assert.ok(moved.length >= SOCKETS / 2, `${moved.length} sockets moved`);
  }
  await sleep(1_000);
  loaded.abort();
  const { outcomes, sent } = await loading;
  assert.deepEqual(outcomes, { 200: sent });
  assert.deepEqual(new Set(visitors.flatMap(({ codes }) => codes)), new Set([1012]));
  const heard = visitors.map((visitor) => visitor.heard);
  await eventually(() => visitors.every((visitor, i) => visitor.heard > (heard[i] ?? 0)));
});
