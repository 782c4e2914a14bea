import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { parse, stringify } from "yaml";
import { collector } from "../support/collector.ts";
import { beginDrill, reportAt } from "../support/drills.ts";
import { startEdgeProcess } from "../support/edge-process.ts";
import { eventually } from "../support/eventually.ts";
import {
  ask,
  call,
  childrenOf,
  connections,
  EDGE,
  isThere,
  logLines,
  metric,
  openWrite,
  stage,
  writesUnderWay,
} from "../support/worker-edge.ts";

describe("an edge with two workers", { concurrency: true }, () => {
  test("is one edge", async (t) => {
    const { url, spans } = await collector(t);
    const { edge, us, eu, hook, probes } = await stage(t, { tracing: { url, samplePercent: 100 } });

    await t.test("that says so, and listens with both", async (inner) => {
      await connections(inner, edge);
      const { json } = await call(edge, "GET", "/v1/status");
      assert.deepEqual([json.workers, json.edges], [2, 1]);
      assert.equal((await call(edge, "GET", "/v1/edges")).json.quorum.known, 1);
    });

    const [before, probedSinceMs] = [{ ...probes.of }, performance.now()];
    await t.test("that tells a collector of the requests of both", async (inner) => {
      const clients = await connections(inner, edge);
      const answers = await Promise.all(
        clients.map((client) => client.request({ method: "GET", path: "/traced" })),
      );
      const ids = answers.map(({ headers }) => headers["x-request-id"]);
      for (const { body } of answers) await body.dump();
      const told = () =>
        new Set(
          spans.flatMap(({ attributes }) =>
            attributes.flatMap(({ key, value }) => (key === "meridian.request_id" ? value.stringValue : [])),
          ),
        );
      await eventually(() => ids.every((id) => told().has(id)), { withinMs: 15_000 });
    });

    await t.test("with one prober", () => {
      const seconds = (performance.now() - probedSinceMs) / 1_000;
      assert.ok(seconds >= 3);
      for (const id of ["us", "eu"]) {
        const made = (probes.of[id] ?? 0) - (before[id] ?? 0);
        const said = `${made} probes of ${id} in ${seconds} s, at one a second`;
        assert.ok(made >= seconds / 2 && made <= seconds + 2, said);
      }
    });

    await t.test(
      "whose users read through one worker what they have written through the other",
      async (inner) => {
        const [one, two] = await connections(inner, edge);
        assert.equal(await ask(two, "GET"), "eu priority");
        for (const [writes, reads, user] of [
          [one, two, "ann"],
          [two, one, "bob"],
        ] as const) {
          assert.equal(await ask(writes, "PUT", user), "us write");
          assert.equal(await ask(reads, "GET", user), "us pin");
        }
      },
    );

    await t.test("whose metrics are sums, and its decisions those of both", async (inner) => {
      const [one, two] = await connections(inner, edge);
      const before = await metric(edge, "meridian_requests_total{");
      const timed = await metric(edge, "meridian_edge_overhead_seconds_count");
      for (const client of [one, two, one]) await ask(client, "GET", "carol");
      assert.equal((await metric(edge, "meridian_requests_total{")) - before, 3);
      assert.equal((await metric(edge, "meridian_edge_overhead_seconds_count")) - timed, 3);
      assert.deepEqual(
        [await metric(edge, "meridian_workers"), await metric(edge, "meridian_fleet_edges{")],
        [2, 1],
      );
      for (const client of [one, two]) {
        const answer = await client.request({ method: "GET", path: "/decided" });
        await answer.body.dump();
        const found = await call(edge, "GET", `/v1/decisions/${answer.headers["x-request-id"]}`);
        assert.equal(found.json.request.path, "/decided");
      }
    });

    await t.test("whose drains both follow", async (inner) => {
      const both = await connections(inner, edge);
      const reason = "a test";
      assert.equal((await call(edge, "POST", "/v1/regions/eu/drain", { reason })).status, 200);
      await eventually(async () => {
        for (const client of both) assert.equal(await ask(client, "GET"), "us priority");
      });
      assert.equal((await call(edge, "POST", "/v1/regions/eu/undrain", { reason })).status, 200);
      await eventually(async () => {
        for (const client of both) assert.equal(await ask(client, "GET"), "eu priority");
      });
    });

    await t.test("whose write region moves when no worker has a write under way any more", async (inner) => {
      const both = await connections(inner, edge);
      const writes = both.map((client) => openWrite(client));
      await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
      assert.equal(await metric(edge, "meridian_writes_under_way"), 2);
      const moving = call(edge, "POST", "/v1/write-region", { region: "eu", reason: "a test" });
      await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.mode, "ro"));
      writes[0]?.end();
      assert.equal(await writes[0]?.answered, 200);
      await sleep(1_000);
      assert.deepEqual([hook.calls.length, us.writer], [0, true], "the other worker has one under way");
      const held = openWrite(both[0]);
      held.end();
      writes[1]?.end();
      assert.equal(await writes[1]?.answered, 200);
      eu.position = us.position;
      assert.deepEqual([(await moving).status, us.writes.at(-1)], [200, 1]);
      assert.equal(await held.answered, 200, "it has waited for the new write region");
      for (const client of both) assert.equal(await ask(client, "PUT", "emil"), "eu write");
    });

    await t.test(
      "which loses with a worker that worker's connections only, and replaces it",
      async (inner) => {
        const [one, two] = await connections(inner, edge);
        const writes = [one, two].map((client) => openWrite(client));
        await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
        const counted = await metric(edge, "meridian_requests_total{");
        const { pid } = logLines(edge).find(
          ({ msg, worker }) => msg === "worker started" && worker === 1,
        ) as unknown as { pid: number };
        process.kill(pid, "SIGKILL");
        for (const write of writes) write.end();
        const [lost, kept] = await Promise.all(writes.map(({ answered }) => answered));
        assert.match(String(lost), /UND_ERR_SOCKET|ECONNRESET|EPIPE/);
        assert.equal(kept, 200);
        await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.workers, 2), {
          withinMs: 15_000,
        });
        await connections(inner, edge);
        assert.equal(await metric(edge, "meridian_worker_restarts_total"), 1);
        assert.ok((await metric(edge, "meridian_requests_total{")) > counted, "what it counted still counts");
      },
    );

    await t.test("which takes a reload in both", async (inner) => {
      const both = await connections(inner, edge);
      const text = readFileSync(edge.configFile, "utf8");
      writeFileSync(
        edge.configFile,
        text.replace("policy: priority", "policy: priority\n  paths: [{ path: /thing, as: static }]"),
      );
      edge.child.kill("SIGHUP");
      await eventually(async () => {
        for (const client of both) assert.equal(await ask(client, "GET"), "eu static");
      });
    });

    await t.test("and which lets every worker finish when it stops", async (inner) => {
      const both = await connections(inner, edge);
      const workers = childrenOf(edge.pid);
      const writes = both.map((client) => openWrite(client));
      await eventually(async () => assert.deepEqual(await writesUnderWay(edge), { 1: 1, 2: 1 }));
      edge.child.kill("SIGTERM");
      await eventually(async () => assert.equal((await request(`${edge.adminUrl}/readyz`)).statusCode, 503));
      await sleep(1_500);
      for (const write of writes) write.end();
      assert.deepEqual(await Promise.all(writes.map(({ answered }) => answered)), [200, 200]);
      assert.equal(await edge.stop(), 0);
      assert.deepEqual(workers.map(isThere), [false, false]);
    });
  });

  test("rehearses a loss in every worker", async (t) => {
    const { edge } = await stage(t);
    const both = await connections(t, edge);
    const drill = { region: "eu", lasts: "4s", kind: "black-hole", reason: "a test" };
    const { status, json } = await beginDrill(edge, drill, "?force=true");
    assert.equal(status, 200, JSON.stringify(json));
    await eventually(async () => {
      const served = await Promise.all(both.map((client) => ask(client, "GET")));
      for (const region of served) assert.match(region, /^us /);
    });
    const report = await reportAt(edge, json.drill?.id ?? "");
    assert.deepEqual([report.result, report.lost], ["passed", 0]);
    assert.deepEqual(report.edges.map(({ edge: name }) => name).toSorted(), [EDGE, `${EDGE}/1`, `${EDGE}/2`]);
    const asked = report.edges.map((each) => [each.edge === EDGE, each.requests > 0]);
    assert.ok(
      asked.every(([isPrimary, isAsked]) => isPrimary !== isAsked),
      JSON.stringify(report.edges),
    );
    await eventually(async () => {
      for (const client of both) assert.match(await ask(client, "GET"), /^eu /);
    });
  });

  test("replaces a worker that hangs, and takes its workers along when it is killed", async (t) => {
    const { edge } = await stage(t);
    const taken = { ...parse(readFileSync(edge.configFile, "utf8")), admin: { port: 0 } };
    const second = await startEdgeProcess(stringify(taken)).catch((error: Error) => error.message);
    assert.match(String(second), /is taken/);
    const [hanging = 0] = childrenOf(edge.pid);
    process.kill(hanging, "SIGSTOP");
    await eventually(() => logLines(edge).some(({ why }) => why === "it hung"), { withinMs: 20_000 });
    await eventually(async () => assert.equal((await call(edge, "GET", "/v1/status")).json.workers, 2), {
      withinMs: 15_000,
    });
    const workers = childrenOf(edge.pid);
    await edge.kill("SIGKILL");
    await eventually(() => workers.every((pid) => !isThere(pid)));
  });
});
