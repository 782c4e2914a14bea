import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { request } from "undici";
import { stringify } from "yaml";
import type { Edge } from "../../src/edge.ts";
import type { EdgeEvents } from "../../src/events.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { NEAREST_FIRST, startWorld } from "../support/world.ts";

const REQUESTS = 60;
const US_EAST_IS_SMALL = { routing: { policy: "priority" }, regions: { "us-east": { capacity: 1 } } };

async function drain({ adminUrl }: Edge, query: string) {
  const headers = { "content-type": "application/json" };
  const url = `${adminUrl}/v1/regions/eu-west/drain?${query}`;
  const answer = await request(url, { method: "POST", headers, body: '{"reason":"a test"}' });
  const json = (await answer.body.json()) as { fault?: string; detail?: string };
  return { status: answer.statusCode, ...json };
}

async function load({ httpUrl }: Edge): Promise<void> {
  for (let sent = 0; sent < REQUESTS; sent += 1) {
    const { headers, body } = await request(`${httpUrl}/items/a`);
    await body.dump();
    assert.equal(headers["x-meridian-region"], "eu-west");
  }
}

describe("a drain that is too much for the rest", { concurrency: true }, () => {
  test("a drain that would overload another region is refused at every edge, whichever the traffic comes through", async (t) => {
    const world = await startWorld({ regions: NEAREST_FIRST });
    t.after(() => world.stop());
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    const edgeOf = async (id: string): Promise<Edge> => {
      const overrides = { ...US_EAST_IS_SMALL, edge: { id }, redis: { url: redis.url } };
      const edge = await startTestEdge(world, stringify(overrides));
      t.after(() => edge.stop(0));
      return edge;
    };
    const [here, there] = [await edgeOf("here"), await edgeOf("there")];
    assert.equal((await drain(here, "dryRun=true")).status, 200, "without traffic there is room");
    await load(there);
    for (const edge of [here, there]) {
      const refused = await eventually(async () => {
        const answer = await drain(edge, "dryRun=true");
        assert.deepEqual([answer.status, answer.fault], [409, "capacity"]);
        return answer;
      });
      assert.match(refused.detail ?? "", /^without eu-west, us-east would get .* and its capacity is 1\./);
    }
    assert.equal((await drain(here, "")).status, 409);
    assert.equal(here.table.view.byId.get("eu-west")?.admission, "open");
    assert.equal((await drain(here, "force=true")).status, 200);
  });

  test("a maintenance window that would overload another region is refused as well, with the remedy", async (t) => {
    const world = await startWorld({ regions: NEAREST_FIRST });
    t.after(() => world.stop());
    const soon = Temporal.Now.instant().add({ seconds: 4 }).toZonedDateTimeISO("UTC");
    const { second, minute, hour, day, month } = soon;
    const cron = `${second} ${minute} ${hour} ${day} ${month} *`;
    const maintenance = [{ region: "eu-west", cron, lasts: "10m", action: "drain" }];
    const edge = await startTestEdge(world, stringify({ ...US_EAST_IS_SMALL, schedule: { maintenance } }));
    t.after(() => edge.stop(0));
    const warnings: EdgeEvents["warned"][] = [];
    edge.events.on("warned", (warning) => warnings.push(warning));
    await load(edge);
    const warning = await eventually(
      () => warnings.find(({ what }) => what === "maintenance refused") ?? assert.fail("not yet"),
      { withinMs: 10_000 },
    );
    assert.match(warning.detail, /us-east would get .* raise regions\.us-east\.capacity/);
    assert.equal(edge.table.view.byId.get("eu-west")?.admission, "open");
  });
});
