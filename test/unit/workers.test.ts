import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { asStarted } from "../../src/config/at-start.ts";
import { restartOnly } from "../../src/config/changes.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { EventBus } from "../../src/events.ts";
import { type KnownEdge, quorumOn } from "../../src/fleet/edges.ts";
import { aggregatorOf, leftBehind, type MetricValues, mergedText } from "../../src/observe/merged-metrics.ts";
import type { ProbeOutcome } from "../../src/regions/probe.ts";
import { RegionTable } from "../../src/regions/table.ts";
import { shareOf, workersOf } from "../../src/workers/shares.ts";

const REGIONS =
  "regions: { us: { role: writer, endpoints: [http://127.0.0.1:1] }, eu: { role: replica, endpoints: [http://127.0.0.1:2] } }";
const REDIS = "redis: { url: redis://127.0.0.1:6379 }";

function configOf(...lines: readonly string[]): Config {
  const loaded = parseConfig([REGIONS, ...lines].join("\n"), {});
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config;
}

describe("workers in the configuration", () => {
  it("are one unless it says otherwise, which needs no Redis", () => {
    assert.equal(workersOf(configOf()), 1);
    assert.ok(workersOf(configOf("workers: auto", REDIS)) >= 1);
  });

  for (const workers of ["2", "auto"]) {
    it(`are refused without Redis (${workers}), with the remedy`, () => {
      const loaded = parseConfig([REGIONS, `workers: ${workers}`].join("\n"), {});
      assert.ok(!loaded.ok);
      assert.deepEqual(
        loaded.problems.map(({ path, hint }) => [path, hint]),
        [["workers", "give redis.url, or remove workers"]],
      );
    });
  }

  it("share out what an edge may take of regions and of the machine", () => {
    const config = configOf(
      "limits: { connections: 1001, requestsPerRegion: 0 }",
      "proxy: { connectionsPerEndpoint: 10 }",
    );
    const { limits, proxy } = shareOf(config, 4);
    assert.deepEqual(
      [limits.connections, limits.requestsPerRegion, proxy.connectionsPerEndpoint],
      [251, 0, 3],
    );
  });
});

describe("a configuration that is read again", () => {
  const started = configOf(
    REDIS,
    "workers: 2",
    "edge: { id: one }",
    "listen: { http: { port: 5001 } }",
    "proxy: { maxHeaderBytes: 16KiB }",
  );
  const read = configOf(
    "workers: 1",
    "edge: { id: another, location: [47, 15] }",
    "listen: { http: { port: 5002 }, trustedProxies: [192.0.2.1] }",
    "proxy: { maxHeaderBytes: 8KiB, attempts: 3 }",
    "limits: { connections: 7 }",
  );

  it("keeps for workers what was read at the start, and nothing else", () => {
    const kept = asStarted(read, started);
    assert.deepEqual(restartOnly(started, kept), []);
    assert.ok(restartOnly(started, read).length >= 5);
    assert.deepEqual(
      [kept.edge.location, kept.listen.trustedProxies, kept.proxy.attempts, kept.limits.connections],
      [read.edge.location, ["192.0.2.1"], 3, 7],
    );
    assert.deepEqual(asStarted(started, started), started);
  });
});

describe("a quorum", () => {
  it("has one voice for each edge, however many workers it has", () => {
    const said = (id: string, worker: number | null) =>
      ({ id, worker, live: true, regions: { us: { health: "down" } } }) as unknown as KnownEdge;
    const { known, live, needed, down } = quorumOn("us", [
      said("a", null),
      said("a/1", 1),
      said("a/2", 2),
      said("b", null),
    ]);
    assert.deepEqual({ known, live, needed, down }, { known: 2, live: 2, needed: 2, down: 2 });
  });
});

const values = (name: string, type: string, value: number) =>
  ({ name, type, help: name, values: [{ value, labels: {} }] }) as unknown as MetricValues;

describe("the metrics of several processes", () => {
  it("are sums, but what is a fact of the whole edge is what the first says", async () => {
    const text = await mergedText([
      [values("meridian_requests_total", "counter", 0), values("meridian_write_epoch", "gauge", 3)],
      [values("meridian_requests_total", "counter", 5), values("meridian_write_epoch", "gauge", 2)],
      [values("meridian_requests_total", "counter", 7), values("meridian_redis_up", "gauge", 0)],
    ]);
    assert.match(text, /^meridian_requests_total 12$/m);
    assert.match(text, /^meridian_write_epoch 3$/m);
  });

  it("keep what a process has counted that is gone, but not what it measured", async () => {
    const left = await leftBehind([
      [values("meridian_requests_total", "counter", 5), values("meridian_connections", "gauge", 9)],
    ]);
    assert.deepEqual(
      left.map(({ name }) => name),
      ["meridian_requests_total"],
    );
  });

  it("are merged by a decision for each gauge: the documentation names none that is not here", async () => {
    const text = await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8");
    const gauges = [...text.matchAll(/^\| `(meridian_\w+)` \| gauge/gm)].map(([, name = ""]) => name);
    assert.deepEqual(
      gauges.filter((name) => aggregatorOf(name) === "sum").toSorted(),
      SUMMED_GAUGES.toSorted(),
    );
  });
});

/** A new gauge belongs here, or among those that are not summed. */
const SUMMED_GAUGES = [
  "meridian_connections",
  "meridian_connections_limit",
  "meridian_event_streams",
  "meridian_pin_storms",
  "meridian_pins_active",
  "meridian_requests_in_flight",
  "meridian_requests_queued",
  "meridian_tunnels",
  "meridian_writes_held",
  "meridian_writes_under_way",
];

describe("a table that learns from another", () => {
  const config = configOf("health: { rise: 2, fall: 3 }");
  const clock = { now: () => performance.now(), wall: () => Date.now() };
  const passed: ProbeOutcome = {
    result: "pass",
    cause: null,
    roundTripMs: 4,
    reported: { status: "ok", writer: true, epoch: 3, applied: "00000000000000aa", lagMs: 20 },
  };

  function tables() {
    const make = () => new RegionTable(config, { clock, events: new EventBus() });
    return [make(), make()] as const;
  }

  it("sees what the other sees, without a probe of its own", () => {
    const [prober, other] = tables();
    for (const endpoint of prober.endpoints) prober.probed(endpoint, passed);
    assert.equal(other.view.byId.get("us")?.health, "unknown");
    other.learn(prober.known());
    const [seen, said] = [other.view.byId.get("us"), prober.view.byId.get("us")];
    assert.equal(seen?.health, "up");
    assert.deepEqual(
      [seen?.latencyMs, seen?.lagMs, seen?.applied, seen?.writer],
      [said?.latencyMs, said?.lagMs, said?.applied, said?.writer],
    );
  });

  it("loses an endpoint that the other has put out of service, and has it back when a probe has", () => {
    const [prober, other] = tables();
    for (const endpoint of prober.endpoints) prober.probed(endpoint, passed);
    other.learn(prober.known());
    prober.eject("eu", "http://127.0.0.1:2", "connect_failed");
    other.learn(prober.known("eu", "http://127.0.0.1:2"));
    assert.deepEqual([other.view.byId.get("eu")?.health, other.view.byId.get("us")?.health], ["down", "up"]);
    const [endpoint] = prober.endpoints.filter(({ region }) => region === "eu");
    for (let probe = 0; endpoint !== undefined && probe < 3; probe += 1) prober.probed(endpoint, passed);
    other.learn(prober.known());
    assert.equal(other.view.byId.get("eu")?.health, "up");
  });
});
