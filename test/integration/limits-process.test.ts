import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { request } from "undici";
import { startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startWorld } from "../support/world.ts";

/** More clients than the edge has descriptors. */
const DESCRIPTORS = 256;
const CLIENTS = 300;

test("an edge with 256 descriptors serves and probes on while 300 clients hold on to it, and recovers", async (t) => {
  const world = await startWorld({ regions: [{ id: "us-east", role: "writer", delayMs: 1 }] });
  t.after(() => world.stop());
  const edge = await startEdgeProcess(edgeYaml(world), { descriptors: DESCRIPTORS });
  t.after(() => edge.kill());
  const idle = await descriptorsOf(edge.pid);
  const { port } = new URL(edge.httpUrl);
  const clients = Array.from({ length: CLIENTS }, () => ask(Number(port)));
  t.after(() => clients.forEach(({ socket }) => void socket.destroy()));

  await eventually(() => clients.every(({ answer }) => answer() !== ""), { withinMs: 15_000 });
  const served = clients.filter(({ answer }) => answer() === "200");
  const refused = clients.filter(({ answer }) => answer() !== "200");
  assert.ok(served.length >= 64, `${served.length} served`);
  assert.equal(served.length + refused.length, CLIENTS);
  assert.ok((await descriptorsOf(edge.pid)) < DESCRIPTORS);

  for (const client of served) client.again();
  await eventually(() => served.every(({ answers }) => answers() === 2), { withinMs: 15_000 });
  assert.match(edge.logs(), /"what":"few descriptors","detail":"enough for 96 connections of the 20000 /);
  assert.match(edge.logs(), /"cause":"descriptors".*"msg":"connection refused"/);
  assert.doesNotMatch(edge.logs(), /EMFILE|"msg":"health changed".*"to":"down"|"msg":"uncaught"/);

  for (const { socket } of clients) socket.destroy();
  const later = await eventually(async () => {
    const { statusCode, body } = await request(edge.httpUrl);
    await body.dump();
    assert.equal(statusCode, 200);
    return descriptorsOf(edge.pid);
  });
  // What is left are connections to the region, kept for a while for the next requests.
  assert.ok(later <= idle + served.length + 8, `${later} descriptors, ${idle} before`);
  assert.equal(await edge.stop(), 0);
});

test("an edge whose heap fills up takes no more connections, serves those it has, and does not die", async (t) => {
  const world = await startWorld({ regions: [{ id: "us-east", role: "writer", delayMs: 1 }] });
  t.after(() => world.stop());
  // So small a heap that some thousand connections fill a good part of it.
  const limits = "limits: { overload: { memoryPercent: 55 } }";
  const edge = await startEdgeProcess(edgeYaml(world, limits), { nodeOptions: ["--max-old-space-size=64"] });
  t.after(() => edge.kill());
  const { port } = new URL(edge.httpUrl);
  const clients: Client[] = [];
  t.after(() => clients.forEach(({ socket }) => void socket.destroy()));
  const isRefused = ({ answer }: Client) => answer() === "503" || answer() === "closed";
  while (clients.length < 6_000 && !clients.some(isRefused)) {
    const more = Array.from({ length: 100 }, () => ask(Number(port)));
    clients.push(...more);
    await eventually(() => more.every(({ answer }) => answer() !== ""), { withinMs: 15_000 });
  }
  assert.equal(edge.child.exitCode, null, "it lives");
  assert.ok(clients.some(isRefused), `${clients.length} connections did not fill it`);
  const [oldest] = clients;
  oldest?.again();
  await eventually(() => oldest?.answers() === 2);
  for (const { socket } of clients) socket.destroy();
  await eventually(
    async () => {
      const { statusCode, body } = await request(edge.httpUrl);
      await body.dump();
      return statusCode === 200;
    },
    { withinMs: 25_000 },
  );
  assert.match(edge.logs(), /"cause":"memory".*"msg":"overload"/);
  assert.equal(await edge.stop(), 0);
});

interface Client {
  readonly socket: Socket;
  /** The status it got; `closed` when none. */
  answer(): string;
  answers(): number;
  again(): void;
}

function ask(port: number): Client {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let closed = false;
  const again = (): void => void socket.write("GET /about HTTP/1.1\r\nHost: x\r\n\r\n");
  const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status ?? "");
  socket.on("connect", again);
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
  });
  return {
    socket,
    answer: () => statuses()[0] ?? (closed ? "closed" : ""),
    answers: () => statuses().length,
    again,
  };
}

async function descriptorsOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}
