import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { request } from "undici";
import type { SimulatedWorld } from "../../src/demo/simulated-world.ts";
import type { Edge } from "../../src/edge.ts";
import { collector, listening, type Span } from "../support/collector.ts";
import { startTestEdge } from "../support/edge.ts";
import { edgeYaml } from "../support/edge-yaml.ts";
import { eventually } from "../support/eventually.ts";
import { NEAREST_FIRST, startWorld } from "../support/world.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;
const SERVER = 2;
const CLIENT = 3;

async function traced(t: TestContext, yaml: string): Promise<{ world: SimulatedWorld; edge: Edge }> {
  const world = await startWorld({ regions: NEAREST_FIRST });
  t.after(() => world.stop());
  const edge = await startTestEdge(world, yaml);
  t.after(() => edge.stop(0));
  return { world, edge };
}

const said = ({ attributes }: Span) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe("tracing", { concurrency: 2 }, () => {
  it("tells a collector of the request, the look-up of its pin and each attempt, in one trace", async (t) => {
    const { url, spans, tokens, resources } = await collector(t);
    const { world, edge } = await traced(
      t,
      `{ tracing: { url: "${url}", token: a-token-of-the-collector, samplePercent: 0 }, listen: { trustedProxies: [127.0.0.1] } }`,
    );
    await world.region("eu-west").kill();
    const headers = { traceparent: TRACEPARENT, authorization: "Bearer somebody" };
    const { statusCode, body } = await request(`${edge.httpUrl}/items/a?secret=1`, { headers });
    await body.dump();
    assert.equal(statusCode, 200);
    await edge.stop(0);

    assert.deepEqual(new Set(tokens), new Set(["Bearer a-token-of-the-collector"]));
    assert.match(JSON.stringify(resources[0]), /"service.instance.id".*edge-under-test/);
    assert.ok(spans.every(({ traceId }) => traceId === TRACE));
    const [own, ...others] = spans.filter(({ kind }) => kind === SERVER);
    assert.ok(own !== undefined && others.length === 0);
    assert.deepEqual([own.name, own.parentSpanId], ["GET", PARENT]);
    const { "url.path": path, "meridian.region": region, "meridian.reason": reason } = said(own);
    assert.deepEqual([path, region, reason], ["/items/a", "us-east", "retry"]);

    const attempts = spans.filter(({ kind }) => kind === CLIENT);
    assert.deepEqual(
      attempts.map((span) => [
        said(span)["meridian.region"],
        said(span)["error.type"] ?? null,
        span.parentSpanId,
      ]),
      [
        ["eu-west", "connect_failed", own.spanId],
        ["us-east", null, own.spanId],
      ],
    );
    const lookUp = spans.find(({ name }) => name === "pin look-up");
    assert.equal(lookUp?.parentSpanId, own.spanId);
    for (const span of spans) {
      assert.ok(BigInt(span.startTimeUnixNano) >= BigInt(own.startTimeUnixNano) - 1_000n);
      assert.ok(BigInt(span.endTimeUnixNano) <= BigInt(own.endTimeUnixNano) + 1_000_000n);
    }
    assert.ok(!JSON.stringify(spans).includes("secret") && !JSON.stringify(spans).includes("somebody"));
  });

  it("makes the region's span a child of the attempt that reached it", async (t) => {
    const { url, spans } = await collector(t);
    const told: unknown[] = [];
    const region = await listening(
      t,
      createServer((req, res) => {
        if (req.url !== "/healthz") told.push(req.headers.traceparent);
        res.end("ok");
      }),
    );
    const { edge } = await traced(
      t,
      `{ tracing: { url: "${url}", samplePercent: 100 }, regions: { eu-west: { endpoints: ["${region}"] } } }`,
    );
    await (await request(`${edge.httpUrl}/a`, { headers: { traceparent: TRACEPARENT } })).body.dump();
    await edge.stop(0);
    const attempt = spans.find(({ kind }) => kind === CLIENT);
    assert.ok(attempt !== undefined);
    assert.notEqual(attempt.traceId, TRACE, "a stranger's is not believed");
    assert.deepEqual(told, [`00-${attempt.traceId}-${attempt.spanId}-01`]);
  });

  it("sends nothing of what is not sampled, and serves on when the collector is away", async (t) => {
    const { url, spans } = await collector(t, 503);
    const { edge } = await traced(t, `tracing: { url: "${url}", samplePercent: 0 }`);
    await (await request(`${edge.httpUrl}/a`)).body.dump();
    const lost: string[] = [];
    edge.events.on("warned", ({ what, detail }) => lost.push(`${what}: ${detail}`));
    const away = await traced(t, 'tracing: { url: "http://127.0.0.1:1/v1/traces", samplePercent: 100 }');
    away.edge.events.on("warned", ({ what }) => lost.push(what));
    const { statusCode, body } = await request(`${away.edge.httpUrl}/a`);
    await body.dump();
    assert.equal(statusCode, 200);
    await away.edge.stop(0);
    assert.deepEqual([spans.length, lost], [0, ["spans lost"]]);
  });

  it("begins and ends with a reload", async (t) => {
    const { url, spans } = await collector(t);
    const world = await startWorld({ regions: NEAREST_FIRST });
    t.after(() => world.stop());
    const folder = await mkdtemp(join(tmpdir(), "meridian-tracing-"));
    t.after(() => rm(folder, { recursive: true }));
    const configFile = join(folder, "meridian.yaml");
    const edge = await startTestEdge(world, "", { configFile });
    t.after(() => edge.stop(0));
    const served = async (yaml: string) => {
      await writeFile(configFile, edgeYaml(world, yaml));
      await edge.reload();
      // What a reload loads, it loads beside the requests.
      await eventually(
        async () => {
          await (await request(`${edge.httpUrl}/a`)).body.dump();
          return yaml === "" || spans.length > 0;
        },
        { withinMs: 15_000 },
      );
    };
    await served(`tracing: { url: "${url}", samplePercent: 100 }`);
    await served("");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const before = spans.length;
    await served("");
    await edge.stop(0);
    assert.equal(spans.length, before);
  });
});
