import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { parse, stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import type { AuditLine, EdgeEvents } from "../../src/events.ts";
import { startTestEdge } from "../support/edge.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

/** Longer than any of these tests. */
const LONG = "10m";
const AGO_MS = 5_000;
/** By then an edge has started beside others. */
const STARTED_BY_MS = 8_000;

async function worldOf(t: TestContext): Promise<SimulatedWorld> {
  const world = await startWorld();
  t.after(() => world.stop());
  return world;
}

/** Once a year, at the second of this instant. */
function cronAt(wallMs: number): string {
  const { month, day, hour, minute, second } =
    Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO("UTC");
  return [second, minute, hour, day, month, "*"].join(" ");
}

function calendarOf(region: string, startWallMs: number, lasts: string) {
  const entry = { region, cron: cronAt(startWallMs), lasts, action: "drain", reason: "kernel update" };
  return { schedule: { maintenance: [entry] } };
}

async function edgeOf(t: TestContext, world: SimulatedWorld, overrides: object): Promise<Edge> {
  const edge = await startTestEdge(world, stringify(overrides));
  t.after(() => edge.stop(0));
  return edge;
}

const admissionOf = (edge: Edge, region: string) => edge.table.view.byId.get(region)?.admission;

async function post(edge: Edge, path: string): Promise<number> {
  const { statusCode, body } = await request(new URL(path, edge.adminUrl), { method: "POST" });
  await body.dump();
  return statusCode;
}

/** The calendar as an edge shows it, and its region's admission. */
async function shownBy({ adminUrl }: { readonly adminUrl: string }) {
  const get = async (path: string) => JSON.parse(await (await request(adminUrl + path)).body.text());
  const [[maintenance], region] = await Promise.all([
    get("/v1/schedule").then((answer) => answer.maintenance),
    get("/v1/regions/eu-west"),
  ]);
  return { maintenance, admission: region.admission, by: region.operator?.by ?? null };
}

function auditsOf(edge: EdgeProcess): readonly string[] {
  const lines = edge.logs().split("\n");
  const audits = lines.filter((line) => line.includes('"msg":"audit"')).map((line) => JSON.parse(line));
  return audits.filter(({ who }) => who === "calendar").map(({ what, target }) => `${what} ${target}`);
}

/** Another file with the ports that the edge has. */
async function reload({ configFile, child }: EdgeProcess, yaml: string): Promise<void> {
  const { listen, admin } = parse(await readFile(configFile, "utf8"));
  await writeFile(configFile, stringify({ ...parse(yaml), listen, admin }));
  child.kill("SIGHUP");
}

describe("the calendar of a fleet", { concurrency: true }, () => {
  test("one edge of a fleet begins a window that a reload brought, and another ends it when that one is dead", async (t) => {
    const world = await worldOf(t);
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    const base = `redis: { url: "${redis.url}" }`;
    const edges = await Promise.all([1, 2].map(() => startEdgeProcess(edgeYaml(world, base))));
    t.after(() => Promise.all(edges.map((edge) => edge.kill())));

    const startWallMs = Math.ceil(Date.now() / 1_000) * 1_000 + 5_000;
    const endWallMs = startWallMs + 10_000;
    const scheduled = edgeYaml(world, `${base}\n${stringify(calendarOf("eu-west", startWallMs, "10s"))}`);
    for (const edge of edges) await reload(edge, scheduled);
    const next = new Date(startWallMs).toISOString();
    for (const edge of edges)
      await eventually(async () => assert.equal((await shownBy(edge)).maintenance?.next, next));

    for (const edge of edges) {
      await eventually(async () => assert.equal((await shownBy(edge)).admission, "draining"), {
        withinMs: 15_000,
      });
      const { maintenance, by } = await shownBy(edge);
      assert.equal(by, "calendar");
      assert.equal(maintenance.open, true);
      assert.equal(maintenance.until, new Date(endWallMs).toISOString());
      await eventually(() => assert.ok(edge.logs().includes('"msg":"maintenance began"')));
    }
    assert.ok(Date.now() >= startWallMs && Date.now() < endWallMs, "the test was too slow to see the window");
    assert.deepEqual(edges.flatMap(auditsOf), ["drain eu-west"]);

    const [opener, other] = edges.toSorted((a, b) => auditsOf(b).length - auditsOf(a).length);
    assert.ok(opener && other);
    await opener.kill();
    await eventually(async () => assert.equal((await shownBy(other)).admission, "open"), {
      withinMs: 20_000,
    });
    assert.ok(Date.now() >= endWallMs);
    await eventually(() => assert.deepEqual(auditsOf(other), ["undrain eu-west"]));
    assert.ok(other.logs().includes('"msg":"maintenance ended"'));
    assert.equal((await shownBy(other)).maintenance.open, false);
  });

  test("an edge that starts in the middle of a window begins it, and an operator's undrain stands, for later edges too", async (t) => {
    const world = await worldOf(t);
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    const overrides = { redis: { url: redis.url }, ...calendarOf("eu-west", Date.now() - AGO_MS, LONG) };
    const here = await edgeOf(t, world, overrides);
    assert.equal(admissionOf(here, "eu-west"), "draining");
    assert.equal((await shownBy(here)).maintenance.open, true);

    const audits: AuditLine[] = [];
    here.events.on("audited", (line) => audits.push(line));
    assert.equal(await post(here, "/v1/regions/eu-west/undrain"), 200);
    const { state, by, window } = here.admissions.get().get("eu-west") ?? {};
    assert.deepEqual([state, by], ["open", "local"]);
    assert.ok(window, "the word says whose window it ended");
    const there = await edgeOf(t, world, overrides);
    there.events.on("audited", (line) => audits.push(line));
    await sleep(2_500);
    assert.deepEqual(
      [here, there].map((edge) => admissionOf(edge, "eu-west")),
      ["open", "open"],
    );
    assert.equal((await shownBy(there)).maintenance.open, false);
    assert.deepEqual(
      audits.map(({ who, what }) => `${who} ${what}`),
      ["local undrain"],
    );
  });

  test("a window begins late when Redis was away at its start", async (t) => {
    const world = await worldOf(t);
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    await redis.kill();
    const overrides = { redis: { url: redis.url }, ...calendarOf("eu-west", Date.now() - AGO_MS, LONG) };
    const edge = await edgeOf(t, world, overrides);
    assert.equal(admissionOf(edge, "eu-west"), "open");
    await redis.restart();
    await eventually(() => assert.equal(admissionOf(edge, "eu-west"), "draining"), { withinMs: 10_000 });
  });

  test("a window of the write region is refused with a warning, without Redis as well", async (t) => {
    const world = await worldOf(t);
    const edge = await edgeOf(t, world, calendarOf("us-east", Date.now() + STARTED_BY_MS, LONG));
    const told: string[] = [];
    const warned = ({ what, detail }: EdgeEvents["warned"]) => told.push(`${what}: ${detail}`);
    edge.events.on("warned", warned);
    edge.events.on("audited", ({ who, what, result }) => told.push(`${who} ${what} ${result}`));
    await eventually(() => assert.equal(told.length, 2), { withinMs: STARTED_BY_MS + 10_000 });
    assert.match(told[0] ?? "", /^maintenance refused: us-east .*takes the writes.*meridian promote eu-west/);
    assert.equal(told[1], "calendar drain refused");
    assert.equal(admissionOf(edge, "us-east"), "open");
  });
});
