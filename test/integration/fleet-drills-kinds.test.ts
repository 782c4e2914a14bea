import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { request } from "undici";
import { stringify } from "yaml";
import { parseConfig } from "../../src/config/load.ts";
import { type Edge, startEdge } from "../../src/edge.ts";
import { createLogger } from "../../src/observe/log.ts";
import { DatabaseRegion, PromotionHook } from "../support/database.ts";
import { beginDrill, drillsAt, reportAt, scheduleAt } from "../support/drills.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const SILENT = createLogger({ level: "silent", edge: "edge-under-test" });

describe("a drill", { concurrency: 2 }, () => {
  test("by the calendar is begun by exactly one edge, each time, and shown with its next", async (t) => {
    const world = await startWorld();
    t.after(() => world.stop());
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    const drill = { region: "eu-west", cron: "*/5 * * * * *", lasts: "2s", kind: "drain", reason: "often" };
    const scheduled = stringify({ redis: { url: redis.url }, schedule: { drills: [drill] } });
    const begun: string[] = [];
    const edges = await Promise.all(
      ["one", "two", "three"].map((id) => startTestEdge(world, `${scheduled}\nedge: { id: ${id} }`)),
    );
    t.after(() => Promise.all(edges.map((edge) => edge.stop(0))));
    for (const { events } of edges)
      events.on("audited", ({ who, what, result }) => {
        if (what === "begin-drill" && result === "done") begun.push(who);
      });
    // Edges that start within a window begin its drill at once, before anybody listens.
    const listeningSinceMs = Date.now();
    const [one, two, three] = edges;
    assert.ok(one && two && three);

    const { running } = (await eventually(
      async () => {
        const answer = await drillsAt(two);
        return answer.running !== null && answer;
      },
      { withinMs: 15_000 },
    )) as Awaited<ReturnType<typeof drillsAt>>;
    assert.deepEqual([running?.who, running?.reason, running?.scheduled], ["calendar", "often", true]);
    const shown = await scheduleAt(three);
    assert.deepEqual([shown.drills[0]?.lasts, shown.drills[0]?.running], ["2s", true]);
    assert.equal(shown.drills[0]?.until, running?.until);
    assert.ok(Date.parse(shown.drills[0]?.next ?? "") > Date.parse(running?.startedAt ?? ""));

    const history = (await eventually(
      async () => {
        const answer = await drillsAt(three);
        return answer.history.length >= 2 && answer.history;
      },
      { withinMs: 20_000 },
    )) as Awaited<ReturnType<typeof drillsAt>>["history"];
    for (const { result, scheduled: isScheduled } of history)
      assert.deepEqual([result, isScheduled], ["passed", true]);
    // Redis's clock, by which a drill began, is known to a few milliseconds.
    const starts = history.map(({ startedAt }) => Math.floor((Date.parse(startedAt) + 500) / 5_000));
    assert.equal(new Set(starts).size, starts.length, "none is begun twice");
    const heard = history.filter(({ startedAt }) => Date.parse(startedAt) > listeningSinceMs + 100);
    assert.ok(heard.length > 0);
    assert.ok(begun.length >= heard.length && begun.length <= history.length + 1, begun.join());
  });

  test("that black-holes the write region rehearses the failover, and says when writes went elsewhere", async (t) => {
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    // A memory that is old enough to be believed.
    await redis.command("HSET meridian:topology rev 1 bornMs 0 epoch 1 writer us mode rw");
    const regions = ["us", "eu", "ap"].map((id) => new DatabaseRegion(id, id === "us"));
    for (const { scripted } of regions) {
      await scripted.start();
      t.after(() => scripted.stop());
    }
    const hook = new PromotionHook(regions);
    const url = await hook.start();
    t.after(() => hook.stop());
    const start = async (id: string): Promise<Edge> => {
      const role = (writer: boolean) => (writer ? "writer" : "replica");
      const loaded = parseConfig(
        stringify({
          ...{ edge: { id }, admin: { port: 0 }, secrets: ["a-secret-that-only-tests-use"] },
          listen: { http: { host: "127.0.0.1", port: 0 } },
          redis: { url: redis.url },
          regions: Object.fromEntries(
            regions.map(({ id: name, writer, scripted }) => [
              name,
              { role: role(writer), endpoints: [scripted.url] },
            ]),
          ),
          routing: { policy: "priority", slowStart: "0ms" },
          health: { interval: "200ms", timeout: "150ms", fall: 2 },
          failover: { mode: "automatic", after: "1s", hook: { url } },
          proxy: { connectTimeout: "300ms" },
        }),
        {},
      );
      assert.ok(loaded.ok, JSON.stringify(loaded));
      const edge = await startEdge({ config: loaded.config, log: SILENT });
      t.after(() => edge.stop(0));
      return edge;
    };
    const edges = await Promise.all([start("here"), start("there")]);
    const [here, there] = edges;
    const write = async ({ httpUrl }: Edge) => {
      const { statusCode, headers, body } = await request(`${httpUrl}/thing`, { method: "PUT" });
      await body.dump();
      return `${statusCode} ${headers["x-meridian-region"]}`;
    };
    await eventually(() =>
      edges.every(({ table }) => table.view.regions.every(({ health }) => health === "up")),
    );
    const [us] = regions;

    const body = { region: "us", lasts: "8s", abortAbove: { errorRatio: 1 } };
    const dry = await eventually(async () => {
      const answer = await beginDrill(here, body, "?dryRun=true");
      assert.equal(answer.status, 200, answer.json.detail);
      return answer;
    });
    assert.match(
      dry.json.warnings[0] ?? "",
      /^us takes the writes: the fleet moves them to another region for good/,
    );
    const { json } = await beginDrill(here, body);
    await eventually(async () => assert.equal(await write(there), "200 eu"), { withinMs: 8_000 });
    const report = await reportAt(there, json.drill?.id ?? "", 20_000);
    assert.equal(report.result, "passed");
    assert.deepEqual(report.writes, {
      before: { region: "us", epoch: 1 },
      after: { region: "eu", epoch: 2 },
    });
    assert.ok(report.firstWriteMs !== null && report.firstWriteMs > 1_000, String(report.firstWriteMs));
    assert.equal(hook.calls.length, 1);
    assert.equal(us?.writer, false, "the hook has told its database");
    await eventually(() => edges.every(({ table }) => table.view.byId.get("us")?.health === "up"));
    assert.equal(await write(here), "200 eu");
    const held = await beginDrill(there, { region: "eu", lasts: "8s" }, "?dryRun=true");
    assert.deepEqual([held.status, held.json.fault], [409, "write_region"]);
    assert.match(held.json.detail, /it has just done so\. Wait until failover\.holdDown is over/);
  });
});
