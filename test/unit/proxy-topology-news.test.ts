import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Exchange } from "../../src/proxy/exchange.ts";
import { TopologyNews } from "../../src/proxy/topology-news.ts";
import type { View } from "../../src/routing/region.ts";
import { viewOf } from "./routing-world.ts";

const NEWER: View = { ...viewOf(), epoch: 2, writeRegion: "eu" };

/** News of a write region that has moved meanwhile; the clock and the stall are the test's. */
function newsOf({ answers = true } = {}) {
  const world = { nowMs: 10_000, asked: 0 };
  const table = { view: viewOf(), stalledAtMs: Number.NEGATIVE_INFINITY };
  const news = new TopologyNews({
    clock: { now: () => world.nowMs, wall: () => world.nowMs },
    table,
    topology: {
      refresh: async () => {
        world.asked += 1;
        if (answers) table.view = NEWER;
        return answers;
      },
    },
  });
  return { world, table, news };
}

const requestOf = (intent: "read" | "write" | "static", epoch?: number) =>
  ({ reading: { facts: { intent }, token: epoch === undefined ? null : { epoch } } }) as unknown as Exchange;

describe("news of where writes go", () => {
  it("are not asked for while this edge hears of every change", () => {
    const { world, table, news } = newsOf();
    assert.equal(news.viewFor(requestOf("read")), table.view);
    assert.equal(world.asked, 0);
  });

  it("are asked for when this process has stood still, once, and by nobody who asks for static paths", async () => {
    const { world, table, news } = newsOf();
    table.stalledAtMs = 9_000;
    assert.equal(news.viewFor(requestOf("static")), table.view);
    assert.equal(await news.viewFor(requestOf("read")), NEWER);
    assert.equal(news.viewFor(requestOf("write")), NEWER);
    assert.equal(world.asked, 1);
    world.nowMs = 20_000;
    table.stalledAtMs = 19_000;
    await news.viewFor(requestOf("write"));
    assert.equal(world.asked, 2);
  });

  it("are asked for when the client has written in an epoch that is newer, which proves that there are some", async () => {
    const told = newsOf();
    assert.equal(await told.news.viewFor(requestOf("read", 2)), NEWER);
    const untold = newsOf({ answers: false });
    const { writeRegion, epoch } = await untold.news.viewFor(requestOf("read", 2));
    assert.deepEqual([writeRegion, epoch], [null, 1]);
  });

  it("are waited for as long as the request may wait, and no longer", async () => {
    const { world, news } = newsOf({ answers: false });
    assert.equal(await news.askAgain(0), false);
    assert.equal(world.asked, 1);
    assert.equal(await news.askAgain(150), false);
    assert.ok(world.asked >= 3);
  });
});
