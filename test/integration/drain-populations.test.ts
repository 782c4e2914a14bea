import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { test } from "node:test";
import { request } from "undici";
import { WebSocket } from "ws";
import { type RegionAnswer, regionAnswer } from "../../src/admin/region-messages.ts";
import type { Edge } from "../../src/edge.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

async function shown({ adminUrl }: Edge, region: string): Promise<RegionAnswer> {
  return regionAnswer.parse(await (await request(`${adminUrl}/v1/regions/${region}`)).body.json());
}

async function drain({ adminUrl }: Edge, region: string, query: string) {
  const headers = { "content-type": "application/json" };
  const body = '{"reason":"a test","deadline":"20s"}';
  const url = `${adminUrl}/v1/regions/${region}/drain?${query}`;
  const answer = (await (await request(url, { method: "POST", headers, body })).body.json()) as {
    affected: Record<string, unknown>;
    admission: { deadline: string };
  };
  return answer;
}

test("an edge counts who is at each region, and says of a drain whom it waits for and until when", async (t) => {
  const world = await startWorld();
  t.after(() => world.stop());
  for (const region of world.regions) acceptWebSockets(region);
  const edge = await startTestEdge(world, "consistency: { graceWindow: 60s }");
  t.after(() => edge.stop(0));

  const first = await request(`${edge.httpUrl}/items/a`);
  const cookie = String(first.headers["set-cookie"]).split(";")[0] ?? "";
  await first.body.dump();
  await (await request(`${edge.httpUrl}/items/a`, { headers: { cookie } })).body.dump();
  for (const user of ["alice", "bob"]) {
    const headers = { authorization: `Bearer ${user}` };
    await (await request(`${edge.httpUrl}/items/a`, { method: "PUT", headers })).body.dump();
  }
  const socket = new WebSocket(edge.httpUrl.replace("http", "ws"));
  t.after(() => socket.terminate());
  await once(socket, "message");
  const asking = get(`${edge.httpUrl}/events?every=20`);
  asking.on("error", () => {});
  t.after(() => asking.destroy());
  const [stream] = (await once(asking, "response")) as [IncomingMessage];
  stream.on("error", () => {}).resume();

  const near = await shown(edge, "eu-west");
  const writer = await shown(edge, "us-east");
  const countsOf = ({
    sessions,
    pins,
    tunnels,
    streams,
    requestsInFlight,
  }: RegionAnswer | NonNullable<RegionAnswer["drain"]>) => ({
    sessions,
    pins,
    tunnels,
    streams,
    requestsInFlight,
  });
  const there = { sessions: 1, pins: 0, tunnels: 1, streams: 1, requestsInFlight: 2 };
  assert.deepEqual(countsOf(near), there);
  assert.deepEqual(countsOf(writer), { sessions: 0, pins: 2, tunnels: 0, streams: 0, requestsInFlight: 0 });
  assert.deepEqual([near.drain, writer.drain], [null, null]);

  const rehearsed = await drain(edge, "eu-west", "dryRun=true");
  assert.deepEqual(rehearsed.affected, { ...there, estimatedEnd: rehearsed.admission.deadline });
  const { admission } = await drain(edge, "eu-west", "");
  const { drain: draining } = await shown(edge, "eu-west");
  assert.ok(draining);
  assert.deepEqual(countsOf(draining), there);
  assert.deepEqual([draining.deadline, draining.estimatedEnd], [admission.deadline, admission.deadline]);

  socket.close();
  asking.destroy();
  await eventually(async () => {
    const { drain: left } = await shown(edge, "eu-west");
    assert.deepEqual(left && countsOf(left), { ...there, tunnels: 0, streams: 0, requestsInFlight: 0 });
  });
});
