import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { request } from "undici";
import { WebSocket } from "ws";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import type { EdgeEvents } from "../../src/events.ts";
import {
  admissionAt,
  beginDrill,
  drillsAt,
  healthAt,
  reportAt,
  stopDrill,
  Traffic,
} from "../support/drills.ts";
import { startTestEdge } from "../support/edge.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis } from "../support/redis.ts";
import { acceptWebSockets } from "../support/websocket.ts";
import { startWorld } from "../support/world.ts";

const NEAR = "eu-west";

describe("a drill in a fleet of three edges", () => {
  let world: SimulatedWorld;
  let redis: RedisServer;
  let traffic: Traffic;
  const edges: Edge[] = [];
  const told: string[] = [];
  let [here, there, third]: Edge[] = [];

  before(async () => {
    world = await startWorld();
    redis = await startRedis({ aged: true });
    world.regions.forEach(acceptWebSockets);
    for (const id of ["here", "there", "third"]) {
      const edge = await startTestEdge(
        world,
        `{ edge: { id: ${id} }, redis: { url: "${redis.url}" }, proxy: { connectTimeout: 300ms } }`,
      );
      edges.push(edge);
      follow(id, edge);
    }
    [here, there, third] = edges;
    traffic = new Traffic(edges.map(({ httpUrl }) => httpUrl));
  });

  after(async () => {
    await traffic?.stop();
    await Promise.all(edges.map((edge) => edge.stop(0)));
    await redis?.stop();
    await world?.stop();
  });

  function follow(id: string, { events }: Edge): void {
    events.on("drillBegan", ({ region, kind }) => told.push(`${id} began ${region} ${kind}`));
    events.on("drillEnded", ({ region, result, reportedHere }) =>
      told.push(`${id} ended ${region} ${result}${reportedHere ? " and wrote it" : ""}`),
    );
    events.on("audited", ({ who, what, target, result }: EdgeEvents["audited"]) =>
      told.push(`${id} audit ${who} ${what} ${target} ${result}`),
    );
  }

  const everywhere = (isSo: (edge: Edge) => boolean) =>
    eventually(() => edges.every(isSo), { withinMs: 10_000 });
  const allUp = () => everywhere((edge) => edge.table.view.regions.every(({ health }) => health === "up"));
  const region = () => world.regions.find(({ id }) => id === NEAR) ?? assert.fail();
  const metricsOf = async (edge: Edge) => (await request(`${edge.adminUrl}/metrics`)).body.text();
  /** Once no edge says any more that a region is down, which takes a second. */
  const begun = (edge: Edge, body: object) =>
    eventually(async () => {
      const { status, json } = await beginDrill(edge, body);
      assert.equal(status, 200, json.detail);
      return json;
    });
  const taken = (pattern: RegExp) =>
    told
      .splice(0)
      .filter((line) => pattern.test(line))
      .toSorted();

  it("black-holes a region: each edge finds out by itself, nothing reaches it, and hardly a client feels it", async () => {
    assert.ok(here && there && third);
    await allUp();
    const tunnel = new WebSocket(`${there.httpUrl.replace("http", "ws")}/socket`);
    await new Promise((joined) => tunnel.once("message", joined));
    const cut = new Promise((gone) => tunnel.once("close", gone));
    const { status, json } = await beginDrill(here, {
      region: NEAR,
      lasts: "4s",
      abortAbove: { errorRatio: 0.5 },
      reason: "a test",
    });
    assert.equal(status, 200);
    assert.deepEqual([json.drill?.region, json.drill?.kind, json.drill?.by], [NEAR, "black-hole", "here"]);
    assert.deepEqual(json.moves[0]?.after.regions, [{ region: "us-east", share: 1 }]);
    await everywhere((edge) => healthAt(edge, NEAR) === "down");
    await cut;
    const answered = region().answered;
    assert.match(await metricsOf(third), /meridian_drill_running\{region="eu-west"\} 1/);
    const { running } = await drillsAt(third);
    assert.equal(running?.id, json.drill?.id);
    assert.ok((running?.soFar.requests ?? 0) > 0);
    assert.equal(region().answered, answered, "nothing is sent there while it is lost");
    assert.ok(region().listening && region().ailments.blackhole === false, "nothing of its own is touched");

    const report = await reportAt(there, json.drill?.id ?? "");
    await allUp();
    assert.deepEqual(
      [report.result, report.who, report.reason, report.scheduled],
      ["passed", "local", "a test", false],
    );
    const { detectMs, shiftMs, recoveryMs, requests, lost, retried, errorRatio } = report;
    assert.ok(
      detectMs.first !== null && detectMs.last !== null && detectMs.first <= detectMs.last,
      JSON.stringify(detectMs),
    );
    assert.ok(shiftMs !== null && shiftMs <= 4_000 && recoveryMs !== null && recoveryMs <= 4_000);
    assert.ok(requests > 50 && retried > 0 && lost < retried, JSON.stringify({ requests, lost, retried }));
    assert.equal(errorRatio, lost / requests);
    assert.deepEqual(report.edges.map(({ edge }) => edge).toSorted(), ["here", "there", "third"]);
    assert.deepEqual(report.writes.before, report.writes.after);

    await eventually(() => told.filter((line) => line.includes("ended")).length === 3);
    assert.match(
      await metricsOf(third),
      new RegExp(`meridian_drill_recovery_seconds\\{region="eu-west"\\} ${(recoveryMs ?? 0) / 1_000}\\n`),
    );
    assert.deepEqual(taken(/./), [
      "here audit local begin-drill eu-west done",
      "here audit local end-drill eu-west done",
      "here began eu-west black-hole",
      "here ended eu-west passed and wrote it",
      "there began eu-west black-hole",
      "there ended eu-west passed",
      "third began eu-west black-hole",
      "third ended eu-west passed",
    ]);
    assert.equal((await drillsAt(here)).running, null);
  });

  it("drains a region without a word of the operator's, one drill at a time, and any edge may stop it", async () => {
    assert.ok(here && there && third);
    await allUp();
    traffic.taken();
    const json = await begun(there, { region: NEAR, lasts: "10m", kind: "drain" });
    await everywhere((edge) => admissionAt(edge, NEAR) === "closed");
    assert.equal(here.admissions.get().get(NEAR), undefined);
    const second = await beginDrill(here, { region: "ap-south", lasts: "1m" }, "?force=true");
    assert.deepEqual([second.status, second.json.fault], [409, "not_now"]);
    assert.match(second.json.detail, /^a drill of eu-west runs\. .*meridian drill --stop$/);
    assert.equal((await stopDrill(third, "seen enough")).status, 200);
    await everywhere((edge) => admissionAt(edge, NEAR) === "open");
    const report = await reportAt(third, json.drill?.id ?? "");
    assert.deepEqual(
      [report.result, report.why, report.endedBy, report.lost],
      ["stopped", "seen enough", "local", 0],
    );
    assert.ok(report.detectMs.last !== null && report.detectMs.last < 4_000);
    const again = await stopDrill(there, "again");
    assert.deepEqual([again.status, again.json.fault], [409, "no_drill"]);
    assert.deepEqual(Object.keys(traffic.taken()), ["200"]);
    await eventually(() => told.filter((line) => line.includes("ended")).length === 3);
    assert.deepEqual(taken(/audit .*done/), [
      "there audit local begin-drill eu-west done",
      "there audit local end-drill eu-west done",
      "third audit local stop-drill eu-west done",
    ]);
  });

  it("is ended when it hurts too much", async () => {
    assert.ok(here && there);
    await allUp();
    const json = await begun(here, { region: NEAR, lasts: "10m", kind: "drain" });
    const others = world.regions.filter(({ id }) => id !== NEAR);
    await everywhere((edge) => admissionAt(edge, NEAR) === "closed");
    for (const other of others) other.ail({ trafficStatus: 503 });
    const report = await reportAt(there, json.drill?.id ?? "");
    for (const other of others) other.ail({ trafficStatus: null });
    assert.equal(report.result, "aborted");
    assert.match(report.why, /^\d+ of \d+ requests failed, more than 1 %$/);
    await everywhere((edge) => admissionAt(edge, NEAR) === "open");
    await eventually(() => told.some((line) => line === "here audit local abort-drill eu-west done"));
  });

  it("is ended when another region is lost in earnest, and is not begun while one is away", async () => {
    assert.ok(here && there);
    await allUp();
    const json = await begun(here, {
      region: NEAR,
      lasts: "10m",
      kind: "drain",
      abortAbove: { errorRatio: 1 },
    });
    await everywhere((edge) => admissionAt(edge, NEAR) === "closed");
    await there.admissions.set("ap-south", {
      ...{ state: "closed", reason: "a test", by: "ops", sinceWallMs: Date.now(), deadlineWallMs: null },
    });
    const writer = world.regions.find(({ id }) => id === "us-east") ?? assert.fail();
    writer.ail({ probeStatus: 503 });
    const report = await reportAt(there, json.drill?.id ?? "");
    assert.deepEqual([report.result, report.why.slice(0, 25)], ["aborted", "eu-west is the last regio"]);
    writer.ail({ probeStatus: null });
    await allUp();
    const refused = await beginDrill(there, { region: NEAR, lasts: "1m" }, "?dryRun=true");
    assert.deepEqual([refused.status, refused.json.fault], [409, "out_of_service"]);
    assert.match(refused.json.detail, /^ap-south is closed\. Wait .*, or repeat with force$/);
    const forced = await beginDrill(there, { region: NEAR, lasts: "1m", force: true }, "?dryRun=true");
    assert.deepEqual(
      [forced.status, forced.json.drill, forced.json.objections[0]?.word],
      [200, null, "out_of_service"],
    );
    assert.equal((await drillsAt(here)).running, null);
    await here.admissions.set("ap-south", {
      ...{ state: "open", reason: "a test", by: "ops", sinceWallMs: Date.now(), deadlineWallMs: null },
    });
  });

  it("of the write region is refused where an operator moves it, with what to do instead", async () => {
    assert.ok(here);
    await everywhere((edge) => admissionAt(edge, "ap-south") === "open");
    const { status, json } = await beginDrill(here, { region: "us-east", lasts: "1m" });
    assert.deepEqual([status, json.fault], [409, "write_region"]);
    assert.match(json.detail, /^us-east takes the writes.*meridian promote eu-west/);
    const unknown = await beginDrill(here, { region: "us-west", lasts: "1m" });
    assert.deepEqual([unknown.status, unknown.json.fault], [404, "unknown_region"]);
    assert.equal((await drillsAt(here)).history.length, 4);
  });
});
