import assert from "node:assert/strict";
import { test } from "node:test";
import { Link } from "../../scripts/chaos/link.ts";
import { beginDrill, drillsAt, edgesAt, healthAt, reportAt, Traffic } from "../support/drills.ts";
import { startTestEdge } from "../support/edge.ts";
import { startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const NEAR = "eu-west";
/** A lease, with room for a slow machine. */
const LEASE = { withinMs: 12_000 };

test("a drill does not outlive its supervision: an edge that is cut off ends it alone, all do when its edge is killed", async (t) => {
  const world = await startWorld();
  t.after(() => world.stop());
  const redis = await startRedis({ aged: true });
  t.after(() => redis.stop());
  const link = await Link.to(redis.port, 0);
  t.after(() => link.close());
  const yaml = (id: string, port: number) =>
    `{ edge: { id: ${id} }, redis: { url: "redis://127.0.0.1:${port}" }, proxy: { connectTimeout: 300ms } }`;
  const supervisor = await startEdgeProcess(edgeYaml(world, yaml("supervisor", redis.port)));
  t.after(() => supervisor.kill());
  const [here, cutOff] = await Promise.all([
    startTestEdge(world, yaml("here", redis.port)),
    startTestEdge(world, yaml("cut-off", link.ownPort)),
  ]);
  t.after(() => Promise.all([here, cutOff].map((edge) => edge.stop(0))));
  const traffic = new Traffic([supervisor, here, cutOff].map(({ httpUrl }) => httpUrl));
  t.after(() => traffic.stop());

  const { json } = await beginDrill(supervisor, {
    region: NEAR,
    lasts: "10m",
    abortAbove: { errorRatio: 1 },
  });
  const id = json.drill?.id ?? "";
  for (const edge of [here, cutOff]) await eventually(() => healthAt(edge, NEAR) === "down", LEASE);

  link.cut();
  await eventually(() => healthAt(cutOff, NEAR) === "up", LEASE);
  assert.equal(healthAt(here, NEAR), "down");
  link.mend();
  await eventually(async () => {
    const { json: fleet } = await edgesAt(cutOff);
    return fleet.quorum.live === 3;
  }, LEASE);
  assert.equal(healthAt(cutOff, NEAR), "up", "what it has ended it does not begin again");
  assert.equal((await drillsAt(here)).running?.id, id);

  await supervisor.kill();
  await eventually(() => healthAt(here, NEAR) === "up", LEASE);
  const report = await reportAt(cutOff, id);
  assert.deepEqual([report.result, report.endedBy], ["lost", "meridian"]);
  assert.match(report.why, /^the edge supervisor was not heard of any more$/);
  assert.deepEqual(report.edges.map(({ edge }) => edge).toSorted(), ["cut-off", "here", "supervisor"]);
  assert.equal((await drillsAt(here)).history.filter((each) => each.id === id).length, 1);
});
