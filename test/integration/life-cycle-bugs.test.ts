import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import path from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startWorld } from "../support/world.ts";

const FAULTY = ["--import", path.join(import.meta.dirname, "../support/faulty-process.ts")];

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

function lines(edge: EdgeProcess, msg: string): Line[] {
  const all = edge
    .logs()
    .split("\n")
    .filter((line) => line.startsWith("{"));
  return all.map((line) => JSON.parse(line) as Line).filter((line) => line.msg === msg);
}

async function uncaught(edge: EdgeProcess): Promise<number> {
  const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  const samples = text.matchAll(/^meridian_uncaught_errors_total\{.*\} (\d+)$/gm);
  return [...samples].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe("errors that nobody catches", { concurrency: 2 }, () => {
  let world: SimulatedWorld;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.stop());

  async function faultyEdge(t: TestContext, environment: Record<string, string> = {}): Promise<EdgeProcess> {
    const yaml = edgeYaml(world, stringify({ shutdown: { grace: "5s" } }));
    const edge = await startEdgeProcess(yaml, { nodeOptions: FAULTY, environment });
    t.after(() => edge.kill());
    return edge;
  }

  test("are told of and counted, exceptions and rejections, and the edge goes on", async (t) => {
    const edge = await faultyEdge(t);
    for (let round = 1; round <= 3; round += 1) {
      edge.child.kill("SIGUSR2");
      await eventually(async () => assert.equal(await uncaught(edge), 2 * round));
      assert.equal((await fetch(`${edge.httpUrl}/items/a`)).status, 200);
    }
    const [first] = lines(edge, "uncaught");
    assert.match(JSON.stringify(first?.err), /a bug|a broken promise/);
    assert.ok(lines(edge, "uncaught").some(({ origin }) => origin === "unhandledRejection"));
    assert.equal(await edge.stop(), 0);
  });

  test("end an edge that is not ready yet, with status 1 and the reason", async () => {
    const starting = startEdgeProcess(edgeYaml(world), {
      nodeOptions: FAULTY,
      environment: { FAULTY_START: "1" },
    });
    await assert.rejects(starting, (error: Error) => {
      assert.match(String(error.cause), /ended with status 1/);
      assert.match(error.message, /"msg":"uncaught"[\s\S]*meridian: a bug/);
      return true;
    });
  });

  test("end an edge with status 1 when there are too many, after what is in flight", async (t) => {
    const edge = await faultyEdge(t, { FAULTY_TIMES: "100" });
    const req = httpRequest(`${edge.httpUrl}/slow?ms=1500`).end();
    await eventually(async () => {
      const regions = await (await fetch(`${edge.adminUrl}/v1/regions`)).text();
      assert.match(regions, /"requestsInFlight":1/);
    });
    edge.child.kill("SIGUSR2");
    await eventually(async () => assert.equal((await fetch(`${edge.adminUrl}/readyz`)).status, 503));
    const [res] = (await once(req, "response")) as [IncomingMessage];
    assert.deepEqual([res.statusCode, res.headers.connection], [200, "close"]);
    res.resume();
    const [status] = await once(edge.child, "exit");
    assert.equal(status, 1);
    assert.deepEqual(
      lines(edge, "stopping: too many uncaught errors").map(({ level }) => level),
      ["fatal"],
    );
  });
});
