import assert from "node:assert/strict";
import { open, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { load } from "../support/load.ts";
import { startWorld } from "../support/world.ts";

async function dropped({ adminUrl }: EdgeProcess): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^meridian_log_lines_dropped_total (\d+)$/m.exec(text)?.[1]);
}

/** A few hundred requests, each with a line in the log: none may be hurt. */
async function unhurt(edge: EdgeProcess): Promise<number> {
  const { sent, outcomes } = await load({
    url: `${edge.httpUrl}/items/a`,
    ratePerSecond: 100,
    durationMs: 2_000,
  });
  assert.deepEqual(outcomes, { 200: sent });
  return sent;
}

describe("an edge whose log", { concurrency: 2 }, () => {
  let world: SimulatedWorld;
  before(async () => {
    world = await startWorld();
  });
  after(() => world.stop());

  /** With all that it says in that file. */
  async function edgeInto(t: TestContext, file: string): Promise<EdgeProcess> {
    const handle = await open(file, "a");
    t.after(() => handle.close());
    const edge = await startEdgeProcess(edgeYaml(world), { logFile: handle.fd });
    t.after(() => edge.kill());
    return edge;
  }

  test("goes to a full disk serves as before, starts and stops, and counts the lines", async (t) => {
    const edge = await edgeInto(t, "/dev/full");
    const sent = await unhurt(edge);
    assert.ok((await dropped(edge)) >= sent);
    assert.equal(await edge.stop(), 0);
  });

  test("goes to a file has each line in it when it has ended", async (t) => {
    const file = path.join(tmpdir(), `meridian-log-${process.pid}.ndjson`);
    const edge = await edgeInto(t, file);
    const sent = await unhurt(edge);
    assert.equal(await edge.stop(), 0);
    const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line.startsWith("{"));
    const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
    assert.equal(messages.filter((msg) => msg === "request").length, sent);
    assert.equal(messages.at(-1), "stopped");
  });

  test("goes to a reader that has left serves as before, stops, and counts the lines", async (t) => {
    const edge = await startEdgeProcess(edgeYaml(world));
    t.after(() => edge.kill());
    edge.child.stdout?.destroy();
    edge.child.stderr?.destroy();
    const sent = await unhurt(edge);
    await eventually(async () => assert.ok((await dropped(edge)) >= sent));
    assert.equal(await edge.stop(), 0);
  });

  test("goes to a reader that does not read serves as before, and stops", async (t) => {
    const edge = await startEdgeProcess(edgeYaml(world));
    t.after(() => edge.kill());
    edge.child.stdout?.pause();
    await unhurt(edge);
    assert.equal(await edge.stop(), 0);
  });
});
