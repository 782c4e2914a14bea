import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type TestContext, test } from "node:test";
import { request } from "undici";
import { WebSocket } from "ws";
import { stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import type { AuditLine, RequestRecord } from "../../src/events.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

const GERMAN = { "x-country": "DE", authorization: "Bearer alice" };
const AMERICAN = { "x-country": "US", authorization: "Bearer bob" };

/** Germans are held in eu, whose only region is eu-west; Americans in us, where the writer is. */
const RESIDENCY = [
  { match: { header: "x-country", in: ["DE"] }, jurisdictions: ["eu"] },
  { match: { header: "x-country", in: ["US"] }, jurisdictions: ["us"] },
];

async function setUp(t: TestContext, { routing = {}, ...overrides }: Record<string, object> = {}) {
  const world: SimulatedWorld = await startWorld();
  t.after(() => world.stop());
  for (const region of world.regions) acceptWebSockets(region);
  const yaml = stringify({ routing: { residency: RESIDENCY, ...routing }, ...overrides });
  const edge = await startTestEdge(world, yaml);
  t.after(() => edge.stop(0));
  const records: RequestRecord[] = [];
  edge.events.on("requestDone", (record) => records.push(record));
  const audits: AuditLine[] = [];
  edge.events.on("audited", (line) => audits.push(line));
  return { world, edge, records, audits };
}

/** What a request is answered, and where: `503 residency`, or `200 eu-west`. */
async function ask({ httpUrl }: Edge, method: string, path: string, headers: Record<string, string>) {
  const answer = await request(`${httpUrl}${path}`, { method, headers });
  const body = await answer.body.text();
  const from = answer.headers["x-meridian-region"];
  if (answer.statusCode === 503) assert.equal(answer.headers["retry-after"], "1");
  return `${answer.statusCode} ${from ?? JSON.parse(body || '{"fault":"residency"}').fault}`;
}

async function dial({ httpUrl }: Edge, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(httpUrl.replace("http", "ws"), { headers });
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  const [body] = await response.toArray();
  return `${response.statusCode} ${JSON.parse(String(body)).fault}`;
}

/** Every way in which a German could be served elsewhere. */
async function everyWay(edge: Edge): Promise<readonly string[]> {
  const told = [];
  for (const method of ["GET", "HEAD", "PUT", "DELETE"])
    told.push(await ask(edge, method, "/items/a", GERMAN));
  told.push(await ask(edge, "GET", "/assets/logo.svg", GERMAN), await dial(edge, GERMAN));
  return [...new Set(told)];
}

function answeredElsewhere(world: SimulatedWorld): number {
  return world.region("us-east").answered + world.region("ap-south").answered;
}

const isDown = (edge: Edge) => edge.table.view.byId.get("eu-west")?.health === "down";

test("whose jurisdiction has no region up gets 503 residency, whatever is asked, and nobody else hears of it", async (t) => {
  const paths = [{ path: "/assets/*", as: "static" }];
  const { world, edge, records, audits } = await setUp(t, { routing: { paths } });
  assert.equal(await ask(edge, "GET", "/items/a", GERMAN), "200 eu-west");
  await world.region("eu-west").kill();
  assert.equal(isDown(edge), false);
  assert.equal(await ask(edge, "GET", "/items/a", GERMAN), "503 residency", "while it is thought to be up");
  await eventually(() => isDown(edge));
  assert.deepEqual(await everyWay(edge), ["503 residency"]);
  assert.equal(answeredElsewhere(world), 0);
  await eventually(() => records.length === 8);
  const [failed] = records.slice(1);
  assert.deepEqual(
    failed?.attempts.map(({ region, outcome }) => `${region} ${outcome}`),
    ["eu-west connect_failed"],
  );
  assert.deepEqual(
    audits.map(({ who, what, target, result, why }) => [who, what, target, result, why]),
    [["meridian", "residency-refused", "eu", "refused", "eu-west: tried"]],
  );
  await world.region("eu-west").heal();
  await eventually(async () => assert.equal(await ask(edge, "GET", "/items/a", GERMAN), "200 eu-west"));
});

test("explain and the metrics say that it was residency", async (t) => {
  const { world, edge } = await setUp(t);
  await world.region("eu-west").kill();
  await eventually(() => isDown(edge));
  const answer = await request(`${edge.httpUrl}/items/a`, { headers: GERMAN });
  const { requestId } = (await answer.body.json()) as { requestId: string };
  const decided = await request(`${edge.adminUrl}/v1/decisions/${requestId}`);
  const asked = await request(`${edge.adminUrl}/v1/explain`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ method: "GET", path: "/items/a", headers: GERMAN }),
  });
  const { explanation } = (await decided.body.json()) as { explanation: Explained };
  for (const { decision, regions } of [explanation, (await asked.body.json()) as Explained]) {
    assert.deepEqual(decision, { kind: "refused", fault: "residency" });
    assert.deepEqual(
      regions.map(({ id, obstacle }) => `${id} ${obstacle}`),
      ["us-east residency", "eu-west down", "ap-south residency"],
    );
  }
  const metrics = await (await request(`${edge.adminUrl}/metrics`)).body.text();
  assert.match(metrics, /meridian_faults_total\{fault="residency",owner="router",region="none"\} 1/);
});

interface Explained {
  readonly decision: object;
  readonly regions: readonly { readonly id: string; readonly obstacle: string | null }[];
}

test("a region that an operator has closed is no region of its jurisdiction, one that drains is", async (t) => {
  const { world, edge } = await setUp(t);
  const say = async (what: string) => {
    const url = `${edge.adminUrl}/v1/regions/eu-west/${what}?force=true`;
    const headers = { "content-type": "application/json" };
    const { statusCode } = await request(url, { method: "POST", headers, body: '{"reason":"a test"}' });
    assert.equal(statusCode, 200);
  };
  await say("drain");
  assert.equal(await ask(edge, "GET", "/items/a", GERMAN), "200 eu-west");
  await say("close");
  assert.deepEqual(await everyWay(edge), ["503 residency"]);
  assert.equal(answeredElsewhere(world), 0);
});

test("a pinned reader and his writes stay within the jurisdiction when the writer is down, stale or not", async (t) => {
  for (const whenWriterDown of ["refuse", "stale"]) {
    const { world, edge } = await setUp(t, { consistency: { whenWriterDown } });
    assert.equal(await ask(edge, "PUT", "/items/a", AMERICAN), "200 us-east");
    assert.equal(await ask(edge, "GET", "/items/a", AMERICAN), "200 us-east");
    await world.region("us-east").kill();
    for (const method of ["GET", "PUT"])
      assert.equal(await ask(edge, method, "/items/a", AMERICAN), "503 residency");
    await eventually(() => edge.table.view.byId.get("us-east")?.health === "down");
    for (const method of ["GET", "PUT"])
      assert.equal(await ask(edge, method, "/items/a", AMERICAN), "503 residency");
    assert.equal(world.region("eu-west").answered + world.region("ap-south").answered, 0);
  }
});

test("with every region down a last resort stays within the jurisdiction, and its failure is residency", async (t) => {
  const { world, edge, records } = await setUp(t);
  for (const region of world.regions) await region.kill();
  await eventually(() => edge.table.view.regions.every(({ health }) => health === "down"));
  assert.equal(await ask(edge, "GET", "/items/a", GERMAN), "503 residency");
  await eventually(() => records.length === 1);
  assert.deepEqual(
    records[0]?.attempts.map(({ region }) => region),
    ["eu-west"],
  );
});

test("what may have been executed keeps its own fault: a write that was reset is not refused for residency", async (t) => {
  const { world, edge } = await setUp(t);
  world.region("us-east").blackhole();
  const asking = ask(edge, "PUT", "/items/a", AMERICAN);
  await eventually(() => edge.table.status().some(({ requestsInFlight }) => requestsInFlight === 1));
  await world.region("us-east").kill();
  assert.equal(await asking, "502 reset");
});
