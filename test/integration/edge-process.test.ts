import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import path from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { request } from "undici";
import { parse, stringify } from "yaml";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import { type EdgeProcess, startEdgeProcess } from "../support/edge-process.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

const MERIDIAN = path.join(import.meta.dirname, "../../bin/meridian.js");
const run = promisify(execFile);

async function world(t: TestContext): Promise<SimulatedWorld> {
  const started = await startWorld();
  t.after(() => started.stop());
  return started;
}

/** Its file says which region comes first, eu-west, for on a busy machine the nearest may be another. */
async function edgeBefore(
  t: TestContext,
  world: SimulatedWorld,
  overrides: Record<string, unknown> = {},
): Promise<EdgeProcess> {
  const { regions, ...config } = parse(edgeYaml(world, stringify(overrides)));
  const ordered = { "eu-west": regions["eu-west"], ...regions };
  const routing = { ...config.routing, policy: "priority" };
  const edge = await startEdgeProcess(stringify({ ...config, routing, regions: ordered }));
  t.after(() => edge.kill());
  return edge;
}

/** Runs `meridian` as a user would; the exit status and what it printed. */
async function meridian(args: readonly string[]): Promise<{ status: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await run(process.execPath, [MERIDIAN, ...args]);
    return { status: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, out: stdout, err: stderr };
  }
}

async function regionOf(edge: EdgeProcess): Promise<string> {
  const answer = await request(`${edge.httpUrl}/items/a`);
  await answer.body.dump();
  return String(answer.headers["x-meridian-region"]);
}

async function editConfig(
  edge: EdgeProcess,
  edit: (config: ReturnType<typeof parse>) => void,
): Promise<void> {
  const config = parse(await readFile(edge.configFile, "utf8"));
  edit(config);
  await writeFile(edge.configFile, stringify(config));
}

async function configVersion(edge: EdgeProcess): Promise<number> {
  const answer = await request(`${edge.adminUrl}/v1/status`);
  return ((await answer.body.json()) as { configVersion: number }).configVersion;
}

describe("an edge as a process", { concurrency: 3 }, () => {
  test("HUP with a broken file changes nothing and says what is wrong", async (t) => {
    const edge = await edgeBefore(t, await world(t));
    await editConfig(edge, (config) => {
      config.regions["eu-west"].rolle = "replica";
      delete config.regions["us-east"];
    });
    edge.child.kill("SIGHUP");
    await eventually(() => edge.logs().includes('"result":"rejected"'));
    assert.match(edge.logs(), /regions\.eu-west\.rolle/);
    assert.equal(await configVersion(edge), 1);
    assert.equal(await regionOf(edge), "eu-west");
  });

  test("HUP can add a region and take one away", async (t) => {
    const regions = await world(t);
    const edge = await edgeBefore(t, regions);
    await editConfig(edge, (config) => {
      delete config.regions["eu-west"];
    });
    edge.child.kill("SIGHUP");
    await eventually(async () => assert.equal(await regionOf(edge), "us-east"));
    await editConfig(edge, (config) => {
      const near = { role: "replica", endpoints: [regions.region("eu-west").url] };
      config.regions = { near, ...config.regions };
    });
    edge.child.kill("SIGHUP");
    await eventually(async () => assert.equal(await regionOf(edge), "near"));
  });

  test("a second TERM stops at once", async (t) => {
    const edge = await edgeBefore(t, await world(t), { shutdown: { grace: "25s" } });
    const req = httpRequest(`${edge.httpUrl}/slow?ms=20000`).end();
    const failed = once(req, "error");
    await sleep(300);
    edge.child.kill("SIGTERM");
    await sleep(200);
    edge.child.kill("SIGTERM");
    await failed;
    const [status] = await once(edge.child, "exit");
    assert.equal(status, 0);
  });

  test("an edge that cannot listen, or has no sound configuration, exits with 1 and says why", async (t) => {
    const edge = await edgeBefore(t, await world(t));
    const taken = await meridian(["serve", "-c", edge.configFile]);
    assert.equal(taken.status, 1);
    assert.match(taken.err, /is taken/);
    const missing = await meridian(["serve", "-c", "/nowhere/meridian.yaml"]);
    assert.equal(missing.status, 1);
    assert.match(missing.err, /\/nowhere\/meridian\.yaml/);
  });

  test("bad usage exits with 2", async () => {
    const bad = [["serve"], ["frobnicate"], ["drain"], ["demo", "--port", "x"]];
    const all = await Promise.all(bad.map(async (args) => ({ args, ...(await meridian(args)) })));
    for (const { args, status, err } of all) {
      assert.equal(status, 2, args.join(" "));
      assert.match(err, /error: /);
    }
  });

  test("a drain by the command line reaches every edge of the fleet and survives a restart", async (t) => {
    const regions = await world(t);
    const redis = await startRedis({ aged: true });
    t.after(() => redis.stop());
    const one = await edgeBefore(t, regions, { redis: { url: redis.url }, edge: { id: "one" } });
    const two = await edgeBefore(t, regions, { redis: { url: redis.url }, edge: { id: "two" } });
    assert.equal(await regionOf(two), "eu-west");

    const drained = await meridian([
      "drain",
      "eu-west",
      "--reason",
      "kernel update",
      "--admin",
      one.adminUrl,
    ]);
    assert.equal(drained.status, 0, drained.err);
    await eventually(async () => assert.equal(await regionOf(two), "us-east"), { withinMs: 4_000 });

    await two.stop();
    const again = await edgeBefore(t, regions, { redis: { url: redis.url }, edge: { id: "two" } });
    assert.equal(await regionOf(again), "us-east");
    const { out } = await meridian(["status", "--json", "--admin", again.adminUrl]);
    const status = JSON.parse(out) as { regions: { id: string; admission: string }[] };
    assert.equal(status.regions.find(({ id }) => id === "eu-west")?.admission, "draining");

    assert.equal((await meridian(["undrain", "eu-west", "--admin", again.adminUrl])).status, 0);
    await eventually(async () => assert.equal(await regionOf(one), "eu-west"), { withinMs: 4_000 });
  });

  test("the log tells of each request, and of no identity", async (t) => {
    const edge = await edgeBefore(t, await world(t));
    const headers = { authorization: "Bearer very-secret", cookie: "session=also-secret" };
    const answer = await request(`${edge.httpUrl}/items/a?token=secret-query`, { headers });
    await answer.body.dump();
    const id = String(answer.headers["x-request-id"]);
    await eventually(() => edge.logs().includes(id));
    const line =
      edge
        .logs()
        .split("\n")
        .find((text) => text.includes(id)) ?? "";
    const { msg, path: asked, region, reason, status, level } = JSON.parse(line);
    assert.deepEqual(
      { msg, asked, region, reason, status, level },
      {
        msg: "request",
        asked: "/items/a",
        region: "eu-west",
        reason: "priority",
        status: 200,
        level: "info",
      },
    );
    assert.ok(!edge.logs().includes("secret"), "a secret is in the log");
  });

  test("the decision of a request can be asked for afterwards", async (t) => {
    const edge = await edgeBefore(t, await world(t));
    const answer = await request(`${edge.httpUrl}/items/a`, { method: "PUT" });
    await answer.body.dump();
    const id = String(answer.headers["x-request-id"]);
    const { status, out } = await meridian(["explain", "--request", id, "--admin", edge.adminUrl]);
    assert.equal(status, 0);
    assert.match(out, /us-east/);
    assert.match(out, /not-writer/);
  });
});
